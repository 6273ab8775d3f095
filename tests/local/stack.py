"""The local stack: MiniStack with the deployed template, on this machine, without Docker.

  stack.py up NAME PORT FOLDER [--auth]
                                     start one, deploy the template with the functions in FOLDER, where `cargo build`
                                     or `sam build` put them, write .local/NAME/stack.json
  stack.py down NAME                 stop it
  stack.py invoke NAME FUNCTION PAYLOAD
                                     invoke a function of a running one, as the template calls it, print its answer
  stack.py find NAME TEXT            print where a text stands in all that a running one wrote, a place a line

NAME names a folder below .local, so that a demo and a test run can stand side by side.
"""
import base64
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "local"
REGION = "us-east-1"
API_ID = "dec0de01"
STACK = "decant"
LAKE = "decant-lake"
# Buckets that the catalog of the tests has datasets in: one of the stack's account, and one that a role reads.
OTHER_LAKE = "decant-other-lake"
# Who signs in by the provider of the tests may use the workspaces that their claims name.
SIGN_IN_RULES = '[{"claim":"editor_of","privilege":"edit"},{"claim":"viewer_of","privilege":"view"}]'
ROLE_LAKE = "decant-role-lake"
LAKE_ROLE = "decant-lake-reader"
LAKE_EXTERNAL_ID = "decant-tests"
CODE = "decant-deploy"


def folder(name):
    path = ROOT / ".local" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def environment(port):
    """Nothing of the caller's environment but what programs need to run: functions inherit all of it."""
    return {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "SAM_CLI_TELEMETRY": "0",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }


def client(service, port):
    import boto3
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION,
                        aws_access_key_id="test", aws_secret_access_key="test")


def up(name, port, built, auth):
    down(name)
    print(f"Starting a local AWS at http://127.0.0.1:{port}...", flush=True)
    home = folder(name)
    env = environment(port) | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AUTH": "true" if auth else "false",
                               "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    with open(home / "ministack.log", "wb") as log:
        process = subprocess.Popen([sys.executable, HERE / "ministack_strict.py"], env=env, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, start_new_session=True, cwd=home)
    (home / "pid").write_text(str(process.pid))
    wait_until_ready(process, port, home / "ministack.log")
    try:
        deploy(name, port, built)
    except BaseException:
        down(name)
        raise


def wait_until_ready(process, port, log):
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"MiniStack ended at once; is port {port} in use? See {log}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/ready", timeout=1).read()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"MiniStack did not become ready; see {log}")


def deploy(name, port, built):
    s3 = client("s3", port)
    s3.create_bucket(Bucket=LAKE)
    s3.create_bucket(Bucket=CODE)
    s3.create_bucket(Bucket=OTHER_LAKE)
    role = lake_of_another_account(port)
    # The catalog that ships with the code, with a limit that a test can reach.
    catalog = (ROOT / "shared/export/catalog.toml").read_text()
    limited = catalog.replace('name = "amplitude_events"\npath', 'name = "amplitude_events"\nmax_export_megabytes = 20\npath', 1)
    s3.put_object(Bucket=LAKE, Key="catalog.toml", Body=(limited + catalog_elsewhere(role) + catalog_of_tenants()).encode())
    # Another host than that of S3, as on AWS: clients drop a token where a redirect leads to another host.
    base_url = f"http://localhost:{port}/_aws/execute-api/{API_ID}/live"
    parameters = {"Architecture": "x86_64" if os.uname().machine == "x86_64" else "arm64", "LakeBucketName": LAKE, "CatalogKey": "catalog.toml",
                  "OtherLakeBucketArns": f"arn:aws:s3:::{OTHER_LAKE}", "LakeRoleArns": role,
                  "PublicBaseUrl": base_url, "StepMegabytes": "1", "LookupMegabytes": "1", "BuilderConcurrency": "4",
                  "RequestWaitSeconds": "5", "CoveoRowLimit": "200000", "CallbackHosts": "127.0.0.1", "RequestsPerSecond": "10000", "RequestBurst": "10000",
                  # Tests ask as fast as they can; those about quotas set their own.
                  "OidcIssuer": f"http://127.0.0.1:{port + 60}", "OidcAudiences": "decant-test", "SignInRules": SIGN_IN_RULES,
                  "WorkspaceRequestsPerSecond": "500", "WorkspaceRequestBurst": "10000"}
    if (built / "template.yaml").exists():
        deploy_with_sam(name, port, built, parameters)
    else:
        deploy_programs(name, port, built, parameters)
    stack = client("cloudformation", port).describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    apply_what_was_dropped(name, port)
    outputs["builder_code"] = code_folder(port, "BuilderFunction")
    found = {"endpoint": f"http://127.0.0.1:{port}", "region": REGION, "base_url": base_url, "lake_bucket": LAKE,
             **outputs}
    (folder(name) / "stack.json").write_text(json.dumps(found, indent=2))


def catalog_elsewhere(role):
    """Datasets in two other buckets, the second of which is read by a role."""
    text = ""
    for name, bucket, access in [("other_visits", OTHER_LAKE, ""),
                                 ("role_visits", ROLE_LAKE, f'role = "{role}"\nexternal_id = "{LAKE_EXTERNAL_ID}"\n')]:
        text += f"""
[[bucket]]
name = "{bucket}"
{access}
[[dataset]]
name = "{name}"
bucket = "{bucket}"
path = "visits/{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/"
time = "at"

[[table]]
name = "{name}"
dataset = "{name}"
columns = ["at:time", "page"]
"""
    return text


def catalog_of_tenants():
    """Datasets that say in each way whose rows they have."""
    text = ""
    for kind, folder, workspace in [("path", "{workspace}/", None),
                                    ("names", "{workspace}/", '{ names = { tenant-a = "lakeA1", tenant-b = "lakeB2" } }'),
                                    ("one", "", '"tenant-a"'),
                                    ("field", "", '{ field = "tenant.id" }')]:
        text += f"""
[[dataset]]
name = "tenants_{kind}"
path = "tenants/{kind}/{folder}{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/"
time = "at"
{f"workspace = {workspace}" if workspace else ""}

[[table]]
name = "tenants_{kind}"
dataset = "tenants_{kind}"
columns = ["at:time", "page"]
"""
    return text


def lake_of_another_account(port):
    """A bucket of another account with a role that may read it, which anybody may assume who knows the external id."""
    import boto3
    account = "333333333333"
    s3, iam = (boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION,
                            aws_access_key_id=account, aws_secret_access_key="test") for service in ("s3", "iam"))
    s3.create_bucket(Bucket=ROLE_LAKE)
    role = iam.create_role(RoleName=LAKE_ROLE, AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
             "Condition": {"StringEquals": {"sts:ExternalId": LAKE_EXTERNAL_ID}}}]}))["Role"]
    iam.put_role_policy(RoleName=LAKE_ROLE, PolicyName="read", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{ROLE_LAKE}"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{ROLE_LAKE}/*"}]}))
    return role["Arn"]


def deploy_with_sam(name, port, built, parameters):
    """Deploys what `sam build` built as `sam deploy` does to AWS."""
    print("Deploying what `sam build` built with `sam deploy`...", flush=True)
    template = built / "template.json"
    template.write_text(json.dumps(fit_for_here(name, built / "template.yaml")))
    command = [ROOT / ".tools/sam/bin/sam", "deploy", "--template-file", template,
               "--stack-name", STACK, "--region", REGION, "--s3-bucket", CODE,
               "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--tags", f"ms-custom-id={API_ID}",
               # SAM takes double quotes away that are not inside of single ones.
               "--parameter-overrides", *(f"{key}='{value}'" if '"' in value else f"{key}={value}" for key, value in parameters.items())]
    log = folder(name) / "deploy.log"
    with open(log, "wb") as out:
        if subprocess.run(command, env=environment(port), stdout=out, stderr=out, cwd=folder(name)).returncode:
            sys.exit(f"sam deploy failed:\n{log.read_text()[-3000:]}")


def deploy_programs(name, port, built, parameters):
    """Deploys what `cargo build` built: SAM's own translator reads the template here, too, inside MiniStack."""
    template = fit_for_here(name, ROOT / "template.yaml")
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    s3, cloudformation = client("s3", port), client("cloudformation", port)
    print(f"Deploying template.yaml with {len(functions)} functions...", flush=True)
    for function in functions:
        program = function["Metadata"]["BuildProperties"]["Binary"]
        s3.put_object(Bucket=CODE, Key=f"{program}.zip", Body=zipped(built / program))
        function["Properties"]["CodeUri"] = {"Bucket": CODE, "Key": f"{program}.zip"}
    s3.put_object(Bucket=CODE, Key="template.json", Body=json.dumps(template).encode())
    cloudformation.create_stack(
        StackName=STACK, TemplateURL=f"http://127.0.0.1:{port}/{CODE}/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"], Tags=[{"Key": "ms-custom-id", "Value": API_ID}],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    while (stack := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
        time.sleep(0.1)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        reasons = (f"{e['LogicalResourceId']}: {e['ResourceStatusReason']}" for e in events if "ResourceStatusReason" in e)
        sys.exit("\n".join(["The template could not be deployed:", *reasons]))


def zipped(program):
    """A function's program as Lambda takes it. Not compressed: it travels no further than to this machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        file.writestr(entry, program.read_bytes())
    return out.getvalue()


def code_folder(port, function):
    """Where MiniStack unpacks what a function runs: by that, its processes are known."""
    resource = client("cloudformation", port).describe_stack_resource(StackName=STACK, LogicalResourceId=function)
    physical = resource["StackResourceDetail"]["PhysicalResourceId"]
    code = client("lambda", port).get_function_configuration(FunctionName=physical)["CodeSha256"]
    return f"/tmp/ministack-provided-code-{port}/{base64.b64decode(code).hex()}"


def fit_for_here(name, path):
    """The template less what only AWS understands: policies that refuse plain HTTP, escaped slashes,
    routes for any method, and conditions on what KMS is asked for. As it was, it is in .local/NAME/template.json."""
    from samtranslator.yaml_helper import yaml_parse
    template = yaml_parse(path.read_text())
    (folder(name) / "template.json").write_text(json.dumps(template, indent=1))
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy")
    template["Resources"] = {key: value for key, value in template["Resources"].items() if value["Type"] not in kinds}
    api = template["Resources"]["Api"]["Properties"]
    api["BinaryMediaTypes"] = [kind.replace("~1", "/") for kind in api["BinaryMediaTypes"]]
    for function in (r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"):
        function["Events"] = dict(one_method_each(function.get("Events", {})))
    for role in (r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"):
        statements = (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"])
        for statement in (s["Fn::If"][1] if "Fn::If" in s else s for s in statements):
            if "kms:" in str(statement["Action"]):
                statement.pop("Condition", None)
    return template


def one_method_each(events):
    """MiniStack answers 403 at a route for ANY method."""
    for name, event in events.items():
        if event["Properties"].get("Method") != "ANY":
            yield name, event
            continue
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            yield name + method.title(), event | {"Properties": event["Properties"] | {"Method": method}}


def apply_what_was_dropped(name, port):
    """Sets through the services what MiniStack's CloudFormation accepts and forgets: TTL and lifecycle. What SAM made
    of the template is then in .local/NAME/processed.json."""
    template = client("cloudformation", port).get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    template = template if isinstance(template, dict) else json.loads(template)
    (folder(name) / "processed.json").write_text(json.dumps(template, indent=1))
    pages = client("cloudformation", port).get_paginator("list_stack_resources").paginate(StackName=STACK)
    physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}
    for resource_name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if "TimeToLiveSpecification" in properties:
            client("dynamodb", port).update_time_to_live(
                TableName=physical[resource_name], TimeToLiveSpecification=properties["TimeToLiveSpecification"])
        if "LifecycleConfiguration" in properties:
            rules = [lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
            client("s3", port).put_bucket_lifecycle_configuration(
                Bucket=physical[resource_name], LifecycleConfiguration={"Rules": rules})
        if "ScalingConfig" in properties:
            # A number that comes from a parameter stays a string there, and the poller stumbles over it.
            client("lambda", port).update_event_source_mapping(
                UUID=physical[resource_name], ScalingConfig={"MaximumConcurrency": 4})


def lifecycle_rule(rule):
    out = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule["Prefix"]}}
    if "ExpirationInDays" in rule:
        days = rule["ExpirationInDays"]
        # Where a condition chooses, any will do: lifecycles are kept here, and never carried out.
        out["Expiration"] = {"Days": 7 if isinstance(days, dict) else int(days)}
    if "AbortIncompleteMultipartUpload" in rule:
        out["AbortIncompleteMultipartUpload"] = {
            "DaysAfterInitiation": int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])}
    return out


def down(name):
    pid_file = folder(name) / "pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    pid_file.unlink()
    # The number may have gone to another process since; only ours runs this script.
    command = pathlib.Path(f"/proc/{pid}/cmdline")
    if not command.exists() or b"ministack_strict.py" not in command.read_bytes():
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(100):
        if not command.exists() or not command.read_bytes():
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)


def invoke(name, function, payload):
    stack = json.loads((folder(name) / "stack.json").read_text())
    port = int(stack["endpoint"].rsplit(":", 1)[1])
    resource = client("cloudformation", port).describe_stack_resource(StackName=STACK, LogicalResourceId=function)
    physical = resource["StackResourceDetail"]["PhysicalResourceId"]
    answer = client("lambda", port).invoke(FunctionName=physical, Payload=payload.encode())
    print(answer["Payload"].read().decode())
    return 1 if "FunctionError" in answer else 0


def find(name, text):
    stack = json.loads((folder(name) / "stack.json").read_text())
    port = int(stack["endpoint"].rsplit(":", 1)[1])
    print(*places(port, text, (folder(name) / "ministack.log").read_text(errors="replace")), sep="\n", end="")


def places(port, text, log):
    """Logs of functions, records, archives, messages that are waiting, and the log of the stack itself."""
    def pages(service, operation, **arguments):
        return client(service, port).get_paginator(operation).paginate(**arguments)
    logs, dynamodb, s3, sqs = (client(service, port) for service in ("logs", "dynamodb", "s3", "sqs"))
    for group in (g["logGroupName"] for page in pages("logs", "describe_log_groups") for g in page["logGroups"]):
        for event in (e for page in pages("logs", "filter_log_events", logGroupName=group) for e in page["events"]):
            if text in event["message"]:
                yield f"log {group}: {event['message']}"
    for table in dynamodb.list_tables()["TableNames"]:
        for item in (i for page in pages("dynamodb", "scan", TableName=table) for i in page["Items"]):
            if text in str(item):
                yield f"table {table}: {item['pk' if 'pk' in item else 'id']}"
    for bucket in (b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"] not in (LAKE, "decant-deploy")):
        for key in (o["Key"] for page in pages("s3", "list_objects_v2", Bucket=bucket) for o in page.get("Contents", [])):
            try:
                found = text.encode() in s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            except s3.exceptions.NoSuchKey:
                # Removed since it was listed.
                continue
            if found:
                yield f"object {bucket}/{key}"
    for queue in sqs.list_queues().get("QueueUrls", []):
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", []):
            if text in message["Body"]:
                yield f"message {queue}"
    if text in log:
        yield "log of the stack"


def main(arguments):
    match arguments:
        case ["up", name, port, built, *auth] if auth in ([], ["--auth"]):
            up(name, int(port), ROOT / built, bool(auth))
        case ["down", name]:
            down(name)
        case ["invoke", name, function, payload]:
            return invoke(name, function, payload)
        case ["find", name, text]:
            find(name, text)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
