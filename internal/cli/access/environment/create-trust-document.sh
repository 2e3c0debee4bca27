#!/bin/sh
# Writes trust-policy-document.json: whoever the account itself allows may assume
# the role.
set -eu
account=$(aws sts get-caller-identity --query Account --output text)
cat > trust-policy-document.json <<EOF
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": { "AWS": "arn:aws:iam::${account}:root" },
      "Action": "sts:AssumeRole"
    }
  ]
}
EOF
echo "trust-policy-document.json trusts account ${account}"
