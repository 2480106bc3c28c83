"""The same check as a Python function with boto3: a Runtime API loop without any framework."""

import hashlib
import http.client
import json
import os

import boto3

client = boto3.client("dynamodb")
table = os.environ["LATCHKEY_TABLE"]


def read(pk, sk):
    key = {"PK": {"S": pk}, "SK": {"S": sk}}
    return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def authorize(event):
    secret = event["identitySource"][0].removeprefix("Bearer ")
    item = read("K#" + secret.rsplit("_", 2)[1], "K") or {}
    digest = hashlib.sha256(secret.encode()).digest()
    live = item.get("v", {"M": {}})["M"].values()
    return {"isAuthorized": any(version["M"]["d"]["B"] == digest for version in live)}


read("S", "S")
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    reply = runtime.getresponse()
    invocation = reply.getheader("lambda-runtime-aws-request-id")
    answer = authorize(json.loads(reply.read()))
    path = f"/2018-06-01/runtime/invocation/{invocation}/response"
    runtime.request("POST", path, json.dumps(answer))
    runtime.getresponse().read()
