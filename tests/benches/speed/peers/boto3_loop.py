"""Creates so many secrets in Secrets Manager, one call each, by one client: `boto3_loop.py URL PREFIX COUNT`. What somebody
would write who knows that they are new; no look, no plan, no record."""

import sys

import boto3

url, prefix, count = sys.argv[1:]
client = boto3.client("secretsmanager", endpoint_url=url, region_name="eu-west-1")
for number in range(int(count)):
    client.create_secret(Name=f"{prefix}/token-{number}", SecretString="lk_0123456789abcdef_a-secret-as-long-as-ours-is")
