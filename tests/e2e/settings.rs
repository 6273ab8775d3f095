//! The template keeps AWS's rules and ours. It is read as it is deployed to the local stack.

use export::{MAX_DEATHS, MAX_FAILURES};
use serde_json::{Value, json};

/// Only users know their accounts. A role's name, its trust and an external id bound it.
const USERS_ROLES: &str = "arn:${AWS::Partition}:iam::*:role/decant-*";

/// Roles of functions that may run in a VPC. What connects them has no resources that a policy could name.
const NETWORKED: [&str; 2] = ["BuilderRole", "NotifierRole"];

fn template() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.local/test/template.json");
    serde_json::from_slice(&std::fs::read(path).expect("make stack writes it")).unwrap()
}

/// Resources of one type, by name.
fn resources(template: &Value, kind: &str) -> Vec<(String, Value)> {
    let all = template["Resources"].as_object().unwrap();
    let found = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    found.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
}

/// The statements of a policy, those too that stand there only with some parameters.
fn statements(policy: &Value) -> Vec<&Value> {
    let all = each(&policy["PolicyDocument"]["Statement"]).into_iter();
    all.map(|statement| statement.pointer("/Fn::If/1").unwrap_or(statement)).collect()
}

/// A value that may stand alone or in a list.
fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

#[test]
fn no_role_has_wildcard_actions_or_resources() {
    let template = template();
    let roles = resources(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 14);
    for (name, role) in roles {
        assert!(role.get("ManagedPolicyArns").is_none(), "{name}: managed policies have wildcards");
        for policy in each(&role["Policies"]) {
            for statement in statements(policy) {
                for action in each(&statement["Action"]) {
                    assert!(!action.as_str().unwrap().contains('*'), "{name}: {statement}");
                }
                for resource in each(&statement["Resource"]) {
                    let text = resource
                        .as_str()
                        .or_else(|| resource["Fn::Sub"].as_str())
                        .unwrap_or_default();
                    let is_network = statement["Sid"] == "Network" && NETWORKED.contains(&&*name);
                    if is_network || name == "CourierRole" && text == USERS_ROLES {
                        continue;
                    }
                    assert!(!text.starts_with('*') && !text.contains(":*"), "{name}: {statement}");
                    // A star stands only after a bucket, for what is in it.
                    assert!(!text.contains('*') || text.ends_with("/*"), "{name}: {statement}");
                }
            }
        }
    }
}

#[test]
fn the_courier_takes_on_no_role_of_the_operators_own_account() {
    let template = template();
    let roles = resources(&template, "AWS::IAM::Role");
    let of_sts: Vec<(String, Value)> = roles
        .iter()
        .flat_map(|(name, role)| {
            let statements = statements(&role["Policies"][0]);
            statements.into_iter().map(move |statement| (name.clone(), statement.clone()))
        })
        // Those of the lake are named one by one by whoever deploys.
        .filter(|(_, statement)| statement["Resource"]["Ref"] != "LakeRoleArns")
        .filter(|(_, statement)| statement["Action"].to_string().contains("sts:"))
        .collect();
    let said: Vec<_> = of_sts
        .iter()
        .map(|(name, s)| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let resource = text(&s["Resource"]["Fn::Sub"]);
            (name.as_str(), text(&s["Effect"]), text(&s["Action"]), resource)
        })
        .collect();
    let own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*";
    let rule = |effect: &str, resource: &str| {
        ("CourierRole", effect.to_owned(), "sts:AssumeRole".to_owned(), resource.to_owned())
    };
    // A denial outweighs whatever the trust policy of a role allows.
    assert_eq!(said, [rule("Allow", USERS_ROLES), rule("Deny", own)]);
}

#[test]
fn every_function_has_its_own_role_and_log() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let mut used: Vec<String> = functions
        .iter()
        .flat_map(|(_, f)| [f["Role"].to_string(), f["LoggingConfig"]["LogGroup"].to_string()])
        .collect();
    used.sort();
    used.dedup();
    assert_eq!((functions.len(), used.len()), (14, 28));
    for (_, log) in resources(&template, "AWS::Logs::LogGroup") {
        assert!(log["RetentionInDays"].is_object());
    }
}

#[test]
fn a_functions_timeout_is_shorter_than_its_lease_and_that_than_the_queues_patience() {
    let template = template();
    let of = |kind: &str, name: &str| {
        resources(&template, kind).into_iter().find(|(n, _)| n == name).unwrap().1
    };
    for (function, queue, event) in [
        ("BuilderFunction", "ExportQueue", "Export"),
        ("CourierFunction", "CopyQueue", "Copy"),
        ("NotifierFunction", "NoticeQueue", "Notice"),
    ] {
        let function = of("AWS::Serverless::Function", function);
        let queue = of("AWS::SQS::Queue", queue);
        let timeout = function["Timeout"].as_i64().unwrap();
        let visibility = queue["VisibilityTimeout"].as_i64().unwrap();
        match event {
            "Copy" => {
                assert!(
                    timeout < export::COPY_LEASE.as_secs()
                        && export::COPY_LEASE.as_secs() < visibility
                );
            }
            // A builder renews its lease, so it may run for longer. It keeps a message of its own.
            "Export" => {
                assert!(export::BUILD_LEASE.as_secs() < visibility);
                assert!(timeout < export::STEP_TIMEOUT.as_secs());
                assert_eq!(function["Events"][event]["Properties"]["BatchSize"], 1);
            }
            // Whoever posts holds nothing.
            _ => {}
        }
        assert!(visibility >= 6 * timeout, "AWS asks for six times the function's timeout");
        let most = queue["RedrivePolicy"]["maxReceiveCount"].as_i64().unwrap();
        assert!(most >= 5, "AWS asks for five at least");
        // Builders that die leave the message in the queue, and those that break return it.
        let attempts = i64::from(MAX_DEATHS + MAX_FAILURES);
        assert!(event != "Export" || most > attempts, "{most}");
        assert!(event != "Copy" || most > i64::from(MAX_FAILURES), "{most}");
        // The notifier's tests show that so many last longer than a callback is tried.
        assert!(event != "Notice" || most == 150, "{most}");
        let source = &function["Events"][event]["Properties"];
        assert_eq!(source["FunctionResponseTypes"][0], "ReportBatchItemFailures");
    }
}

#[test]
fn the_notifier_may_read_its_queue_write_its_log_and_open_what_signs() {
    let template = template();
    let roles = resources(&template, "AWS::IAM::Role");
    let (_, role) = roles.iter().find(|(name, _)| name == "NotifierRole").unwrap();
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    let may: Vec<String> = each(statements)
        .into_iter()
        // What a VPC needs, which is there only with one.
        .filter(|statement| statement["Fn::If"][0] != "HasVpc")
        .flat_map(|statement| {
            let resource = statement["Resource"]["Fn::GetAtt"][0].as_str().unwrap();
            each(&statement["Action"])
                .into_iter()
                .map(move |a| format!("{} {resource}", a.as_str().unwrap()))
        })
        .collect();
    assert_eq!(
        may,
        [
            "logs:CreateLogStream NotifierLog",
            "logs:PutLogEvents NotifierLog",
            "sqs:ReceiveMessage NoticeQueue",
            "sqs:DeleteMessage NoticeQueue",
            "sqs:GetQueueAttributes NoticeQueue",
            "sqs:ChangeMessageVisibility NoticeQueue",
            "sqs:SendMessage NoticeQueue",
            "dynamodb:PutItem DeliveryTable",
            "dynamodb:Query ExportTable",
            "kms:Decrypt SealKey",
        ]
    );
    let of_records = each(statements).into_iter().find(|s| s["Sid"] == "SealedSecrets").unwrap();
    let condition = &of_records["Condition"];
    assert_eq!(
        condition["ForAllValues:StringEquals"]["dynamodb:Attributes"],
        serde_json::json!(["pk", "sk", "sealed"]),
        "no record has any of these but its keys"
    );
    assert_eq!(condition["StringEqualsIfExists"]["dynamodb:Select"], "SPECIFIC_ATTRIBUTES");
}

#[test]
fn nobody_opens_what_was_sealed_for_another_purpose() {
    let template = template();
    let mut found = Vec::new();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(&role["Policies"][0]) {
            if statement["Action"] == "kms:Decrypt" && statement["Sid"] != "LakeKeys" {
                let purpose =
                    &statement["Condition"]["StringEquals"]["kms:EncryptionContext:purpose"];
                found.push((name.clone(), purpose.as_str().unwrap().to_owned()));
            }
        }
    }
    found.sort();
    let want = [("CourierRole", "copy"), ("NotifierRole", "callback")];
    assert_eq!(found, want.map(|(role, purpose)| (role.to_owned(), purpose.to_owned())));
}

#[test]
fn only_builders_sign_receipts_and_only_the_native_api_reads_the_public_key() {
    let template = template();
    let mut users = Vec::new();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in statements(&role["Policies"][0]) {
            if statement["Resource"]["Fn::GetAtt"] == serde_json::json!(["ReceiptKey", "Arn"]) {
                users.push((name.clone(), statement["Action"].as_str().unwrap().to_owned()));
            }
        }
    }
    users.sort();
    let want = [("BuilderRole", "kms:Sign"), ("ExportsRole", "kms:GetPublicKey")];
    assert_eq!(users, want.map(|(role, action)| (role.to_owned(), action.to_owned())));
}

#[test]
fn who_reads_the_lake_or_its_catalog_may_use_the_keys_of_the_lake_through_s3_alone() {
    let template = template();
    let mut readers = Vec::new();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        let statements = statements(&role["Policies"][0]);
        let reads = |s: &&Value| {
            s["Action"] == "s3:GetObject" && s["Resource"].to_string().contains("LakeBucketName")
        };
        let keys: Vec<_> = statements.iter().filter(|s| s["Sid"] == "LakeKeys").collect();
        assert_eq!(keys.len(), statements.iter().copied().filter(reads).count(), "{name}");
        for key in keys {
            assert_eq!(key["Resource"]["Ref"], "LakeKeyArns", "{name}");
            let through = &key["Condition"]["StringLike"]["kms:ViaService"]["Fn::Sub"];
            assert_eq!(through, "s3.*.${AWS::URLSuffix}", "{name}");
            readers.push(name.clone());
        }
    }
    assert_eq!(readers.len(), 9, "{readers:?}");
}

#[test]
fn sam_makes_one_stage_with_the_limit_of_requests() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.local/test/processed.json");
    let processed: Value =
        serde_json::from_slice(&std::fs::read(path).expect("make stack writes it")).unwrap();
    let [(_, stage)] = &resources(&processed, "AWS::ApiGateway::Stage")[..] else {
        panic!("there is one stage")
    };
    assert_eq!(stage["StageName"], "live");
    let limits = &stage["MethodSettings"][0];
    assert!(!limits["ThrottlingRateLimit"].is_null(), "{limits}");
    for (name, deployment) in resources(&processed, "AWS::ApiGateway::Deployment") {
        assert!(deployment["StageName"].is_null(), "{name} makes a stage of its own: {deployment}");
    }
}

#[test]
fn lambda_lets_those_functions_go_on_that_send_messages_to_their_own_queues() {
    let template = template();
    let allowed: Vec<String> = resources(&template, "AWS::Serverless::Function")
        .into_iter()
        .filter(|(_, function)| function["RecursiveLoop"] == "Allow")
        .map(|(name, _)| name)
        .collect();
    let queue_of = |function: &Value| {
        let events = function["Events"].as_object()?;
        events.values().find_map(|event| event["Properties"]["Queue"].get("Fn::GetAtt")).cloned()
    };
    let roles = resources(&template, "AWS::IAM::Role");
    let loops = resources(&template, "AWS::Serverless::Function").into_iter().filter(|(_, f)| {
        let role = f["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        let (_, role) = roles.iter().find(|(name, _)| name == role).unwrap();
        queue_of(f).is_some_and(|queue| {
            statements(&role["Policies"][0]).iter().any(|s| {
                each(&s["Action"]).contains(&&Value::from("sqs:SendMessage"))
                    && each(&s["Resource"]).iter().any(|r| r["Fn::GetAtt"] == queue)
            })
        })
    });
    assert_eq!(allowed, loops.map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(allowed.len(), 3);
}

#[test]
fn lambda_reports_what_each_run_took() {
    let logs = &template()["Globals"]["Function"]["LoggingConfig"];
    assert_eq!((&logs["LogFormat"], &logs["SystemLogLevel"]), (&"JSON".into(), &"INFO".into()));
}

#[test]
fn buckets_are_private_encrypted_tls_only_and_cleaned() {
    let template = template();
    let (_, bucket) = resources(&template, "AWS::S3::Bucket").remove(0);
    let block = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert!(block.len() == 4 && block.values().all(|value| value == true));
    assert!(bucket["BucketEncryption"].is_object());
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    let days =
        |id: &str| rules.iter().find(|rule| rule["Id"] == id).unwrap()["ExpirationInDays"].as_i64();
    let uploads = rules.iter().find(|rule| rule["Id"] == "unfinished-uploads").unwrap();
    assert_eq!(uploads["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1);
    // S3 counts from when an upload began, and an archive lives 24 hours from when it was published.
    assert!(days("exports") > Some(1));
    let patience = template["Parameters"]["DeadlineHours"]["MaxValue"].as_i64().unwrap();
    assert!(days("work").unwrap() * 24 > patience, "work must outlive the slowest export");

    let (_, policy) = resources(&template, "AWS::S3::BucketPolicy").remove(0);
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Action"]), (&"Deny".into(), &"s3:*".into()));
    assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
}

#[test]
fn tables_are_encrypted_and_can_be_restored() {
    let template = template();
    for (name, table) in resources(&template, "AWS::DynamoDB::Table") {
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{name}");
        assert_eq!(
            table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{name}"
        );
    }
    let tables = resources(&template, "AWS::DynamoDB::Table");
    let (_, exports) = tables.iter().find(|(name, _)| name == "ExportTable").unwrap();
    assert_eq!(exports["TimeToLiveSpecification"]["Enabled"], true);
}

#[test]
fn what_the_gateway_itself_answers_suits_clients_of_every_api_and_repeats_nothing() {
    let template = template();
    let api = &template["Resources"]["Api"]["Properties"];
    let answers = api["GatewayResponses"].as_object().unwrap();
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "THROTTLED"] {
        assert!(answers.contains_key(kind), "{kind}");
    }
    for (kind, answer) in answers {
        let text = answer["ResponseTemplates"]["application/json"].as_str().unwrap();
        // The gateway's own text of an error may have a token in it.
        assert!(!text.contains('$'), "{kind}: {text}");
        let body: Value = serde_json::from_str(text).unwrap();
        for pointer in ["/detail", "/message", "/response/0/error/message"] {
            assert_eq!(body.pointer(pointer), body.get("detail"), "{kind}: {pointer}");
        }
        assert_eq!(body["response"][0]["success"], false, "{kind}");
        assert_eq!(body.get("status"), answer.get("StatusCode"), "{kind}");
        let title = body["status"].as_u64().map(|status| {
            let status = reqwest::StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
            status.canonical_reason().unwrap()
        });
        let renamed =
            |title| if title == "Payload Too Large" { "Content Too Large" } else { title };
        assert!(title.is_none_or(|title| body["title"] == renamed(title)), "{kind}: {text}");
        let headers = &answer["ResponseParameters"]["Headers"];
        assert_eq!(headers["Content-Type"], "'application/json'", "{kind}");
    }
}

#[test]
fn every_setting_is_in_one_group_and_says_what_it_takes_and_only_the_bucket_must_be_answered() {
    let template = template();
    let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let grouped = each(groups).into_iter().flat_map(|group| each(&group["Parameters"]));
    let mut grouped: Vec<&str> = grouped.map(|name| name.as_str().unwrap()).collect();
    let settings = template["Parameters"].as_object().unwrap();
    let mut all: Vec<&str> = settings.keys().map(String::as_str).collect();
    grouped.sort_unstable();
    all.sort_unstable();
    assert_eq!(grouped, all);
    for (name, setting) in settings {
        assert_eq!(setting.get("Default").is_none(), name == "LakeBucketName", "{name}");
        let is_bounded = ["AllowedPattern", "MinValue", "MaxValue"];
        if is_bounded.iter().any(|bound| setting.get(bound).is_some()) {
            assert!(setting["ConstraintDescription"].is_string(), "{name}");
        }
    }
}

#[test]
fn the_access_log_has_the_route_and_never_the_path_which_may_hold_a_secret() {
    let template = template();
    let setting = &template["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Fn::If"];
    assert_eq!(setting[0], "LogsAccess");
    let fields: Value = serde_json::from_str(setting[1]["Format"].as_str().unwrap()).unwrap();
    for (name, field) in fields.as_object().unwrap() {
        let of_request = ["$context.path", "$context.customDomain", "authorizer", "identity.user"];
        assert!(!of_request.iter().any(|part| field.as_str().unwrap().contains(part)), "{name}");
    }
    assert_eq!(fields["route"], "$context.resourcePath");
}

#[test]
fn what_an_organisation_asks_for_holds_for_every_role_log_and_function_that_goes_out() {
    let template = template();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        assert_eq!(role["Path"]["Ref"], "RolePath", "{name}");
        assert_eq!(role["PermissionsBoundary"]["Fn::If"][1]["Ref"], "PermissionsBoundaryArn");
    }
    for (name, log) in resources(&template, "AWS::Logs::LogGroup") {
        assert_eq!(log["KmsKeyId"]["Fn::If"][1]["Ref"], "LogKeyArn", "{name}");
    }
    let functions = resources(&template, "AWS::Serverless::Function");
    let networked = functions.iter().filter(|(_, function)| function.get("VpcConfig").is_some());
    let roles: Vec<_> = networked.map(|(_, f)| f["Role"]["Fn::GetAtt"][0].as_str()).collect();
    assert_eq!(roles, NETWORKED.map(Some));
    let traced = resources(&template, "AWS::IAM::Policy").remove(0).1;
    assert_eq!(each(&traced["Roles"]).len(), functions.len());
}

#[test]
fn who_needs_no_token_reaches_neither_tokens_nor_the_lake_and_has_a_limit_of_their_own() {
    let template = template();
    let (_, role) = resources(&template, "AWS::IAM::Role")
        .into_iter()
        .find(|(name, _)| name == "SharesRole")
        .unwrap();
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    let allowed: Vec<Value> = each(statements)
        .iter()
        .map(|it| json!([it["Action"], it["Resource"], it["Condition"]]))
        .collect();
    let (table, none) = (json!({ "Fn::GetAtt": ["ExportTable", "Arn"] }), Value::Null);
    let own = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["H#*"] } });
    assert_eq!(
        allowed[2..4],
        [json!(["dynamodb:GetItem", table, none]), json!(["dynamodb:UpdateItem", table, own]),]
    );
    assert_eq!((&allowed[4][0], allowed.len()), (&json!("s3:GetObject"), 5));
    let limits = &template["Resources"]["Api"]["Properties"]["MethodSettings"];
    let path = |limit: &&Value| limit["ResourcePath"] == "/~1s~1{proxy+}";
    let limit = limits.as_array().unwrap().iter().find(path).unwrap();
    assert_eq!(limit["ThrottlingRateLimit"]["Ref"], "ShareRequestsPerSecond");
}

#[test]
fn functions_that_list_count_or_write_while_a_client_waits_have_half_a_processor() {
    // Lambda gives a processor for 1,769 MB.
    let template = template();
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let waited_for =
            ["ExportsFunction", "AmplitudeFunction", "CoveoFunction", "LeanplumFunction"];
        let memory = function["MemorySize"].as_i64();
        assert!(!waited_for.contains(&&*name) || memory > Some(1769 / 2), "{name}: {memory:?}");
    }
}

#[test]
fn no_default_asks_for_what_a_new_account_is_refused() {
    let template = template();
    // AWS reserves nothing where that leaves fewer than 100 for the other functions; a new account has 10.
    assert_eq!(template["Parameters"]["ReserveConcurrency"]["Default"], "false");
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let reserved = &function["ReservedConcurrentExecutions"];
        let is_choice = reserved["Fn::If"][0] == "ReservesConcurrency";
        assert!(reserved.is_null() || is_choice, "{name}: {reserved}");
    }
}
