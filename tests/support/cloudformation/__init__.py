"""A double of CloudFormation: change sets that really make their resources, through the embedded services."""
