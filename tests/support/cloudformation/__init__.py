"""A double of CloudFormation: its change sets create real resources in the embedded services."""
