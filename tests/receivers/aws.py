"""SES and EventBridge of moto as its owner sees them, and AWS's own signer.

`prepare ENDPOINT`: verifies the sender's address, and creates a bus with an archive of what comes from us.
`received ENDPOINT`: prints how many mails were sent and how many events came.
`signed`: reads `{"service": .., "requests": [{"url": .., "headers": .., "body": ..}]}` from stdin, signs each as AWS's SDK
does and fails where that is another signature.
"""

import json
import sys

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "eu-west-1"
LOGIN = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "login"}


def client(service, endpoint):
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, **LOGIN)


def prepare(endpoint):
    client("sesv2", endpoint).create_email_identity(EmailIdentity="latchkey@example.com")
    events = client("events", endpoint)
    bus = events.create_event_bus(Name="ops")["EventBusArn"]
    events.create_archive(ArchiveName="ours", EventSourceArn=bus, EventPattern='{"source": ["latchkey"]}')


def received(endpoint):
    mails = client("ses", endpoint).get_send_quota()["SentLast24Hours"]
    events = client("events", endpoint).describe_archive(ArchiveName="ours")["EventCount"]
    print(json.dumps({"mails": int(mails), "events": events}))


def signed():
    asked = json.load(sys.stdin)
    for sent in asked["requests"]:
        headers = {name.lower(): value for name, value in sent["headers"].items()}
        names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        request = AWSRequest("POST", sent["url"], data=sent["body"].encode())
        for name in names:
            request.headers[name] = headers[name]
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(Credentials(LOGIN["aws_access_key_id"], LOGIN["aws_secret_access_key"]), asked["service"], REGION)
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        if f"Signature={signature}" not in headers["authorization"]:
            sys.exit(f"another signature: {canonical}")
    print(len(asked["requests"]))


{"prepare": prepare, "received": received, "signed": signed}[sys.argv[1]](*sys.argv[2:])
