"""A customer of the local stack, with an account, a bucket and a key of their own.

  customer.py STACK NAME EXTERNAL_ID   make one; print what opens the bucket: a key, and a role that trusts the courier

The key and the role may only put objects below `in/`.
"""
import json
import sys

import stack

ACCOUNT = "222222222222"


def main(name, customer, external_id):
    found = json.loads((stack.folder(name) / "stack.json").read_text())

    def client(service):
        import boto3
        # MiniStack takes twelve digits for the account they name.
        return boto3.client(service, endpoint_url=found["endpoint"], region_name=found["region"],
                            aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
    iam = client("iam")
    client("s3").create_bucket(Bucket=customer)
    may_put = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
         "Resource": f"arn:aws:s3:::{customer}/in/*"}]})
    iam.create_user(UserName=customer)
    iam.put_user_policy(UserName=customer, PolicyName="put", PolicyDocument=may_put)
    key = iam.create_access_key(UserName=customer)["AccessKey"]
    role = iam.create_role(RoleName=f"decant-{customer}", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": found["CourierRoleArn"]},
             "Condition": {"StringEquals": {"sts:ExternalId": external_id}}}]}))["Role"]
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="put", PolicyDocument=may_put)
    print(json.dumps({"account": ACCOUNT, "bucket": customer, "key_id": key["AccessKeyId"],
                      "secret": key["SecretAccessKey"], "role_arn": role["Arn"]}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
