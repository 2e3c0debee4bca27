# The AWS SDK for Python as a program in a pod has it: see ../doc.go.
import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

bucket, rounds, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
session = boto3.Session()
once = Config(retries={"total_max_attempts": 1})
s3, sts = session.client("s3", config=once), session.client("sts", config=once)


def code(call, **kwargs):
    try:
        call(**kwargs)
        return ""
    except ClientError as e:
        return e.response["Error"]["Code"]


first = None
for i in range(rounds):
    if i > 0:
        time.sleep(pause)
    said = {"arn": sts.get_caller_identity()["Arn"]}
    said["buckets"] = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    said["put"] = code(s3.put_object, Bucket=bucket, Key="no", Body=b"no")
    keys = session.get_credentials().get_frozen_credentials()
    said["key"] = keys.access_key
    if first:
        old = boto3.client("sts", config=once, aws_access_key_id=first.access_key, aws_secret_access_key=first.secret_key, aws_session_token=first.token)
        said["old"] = code(old.get_caller_identity)
    first = first or keys
    print(json.dumps(said), flush=True)
