"""The one AWS account that the embedded services play, and its first principals."""

from __future__ import annotations

ACCOUNT = "123456789012"
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"  # Lake Formation's own name for any principal that IAM allows
OWNER = f"arn:aws:iam::{ACCOUNT}:user/etltctl"  # the state folder's owner made everything and administers everything
