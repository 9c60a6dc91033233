"""An S3 server on a free port, with a bucket and one user who may use it: `moto`, which checks signatures.

Prints one line of JSON when it answers: endpoint, bucket, key, secret. Ends when its input does. With the word `away`
as a line of input it stops answering, at the next line it answers again at the same port, with what it held.
"""

import json
import os
import sys

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"  # Those below.

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
root = {"endpoint_url": endpoint, "region_name": "us-east-1"}
root |= {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
boto3.client("s3", **root).create_bucket(Bucket="logs")
iam = boto3.client("iam", **root)
iam.create_user(UserName="segue")
allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
iam.put_user_policy(UserName="segue", PolicyName="all", PolicyDocument=policy)
made = iam.create_access_key(UserName="segue")["AccessKey"]
told = {"endpoint": endpoint, "bucket": "logs", "key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
print(json.dumps(told), flush=True)

for line in sys.stdin:
    if line.strip() == "away":
        server.stop()
    else:
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()
    print(line.strip(), flush=True)
