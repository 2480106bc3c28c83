//! `infra/template.yaml` against the route table, the functions and the table's shape.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use latchkey::api::Function;
use latchkey_sinks::files::write_atomic;
use serde_json::{Value, json};
use tests::deployment::{Template, engine, root};
use tests::engine::{Engine, Store};

use super::deployed::routes;

fn template() -> Template {
    Template::read(&root().join("infra/template.yaml"))
}

/// The name of a function's resource: `CreateFunction`.
fn resource(function: Function, kind: &str) -> String {
    let name = function.as_str();
    format!("{}{}{kind}", name[..1].to_uppercase(), &name[1..])
}

#[test]
fn the_templates_pass_cfn_lint_without_a_word() {
    for file in ["infra/template.yaml", "samples/protected-api/template.yaml"] {
        let output = Command::new(engine("cfn-lint")).arg(root().join(file)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{file}: {said}");
    }
}

/// What reviewers ask for is a parameter, or left out for a reason that stands beside it.
#[test]
fn checkov_has_nothing_to_say_of_the_template() {
    let checkov = root().join("target/engines/checkov/bin/checkov");
    if !checkov.exists() {
        tests::skip!("needs checkov, see `tests/engines.sh`");
    }
    let mut command = Command::new(checkov);
    command.args(["--framework", "cloudformation", "--compact", "--skip-download", "--output", "json", "--file"]);
    let output = command.arg(root().join("infra/template.yaml")).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = told["results"]["failed_checks"].as_array().unwrap();
    let failed: Vec<String> =
        failed.iter().map(|check| format!("{} {}", check["check_id"], check["resource"])).collect();
    assert!(failed.is_empty() && told["summary"]["passed"].as_u64() > Some(100), "{failed:#?} {}", told["summary"]);
    let skipped = told["results"]["skipped_checks"].as_array().unwrap();
    assert!(
        skipped
            .iter()
            .all(|check| check["check_result"]["suppress_comment"].as_str().is_some_and(|why| why.len() > 20))
    );
}

#[test]
fn checks_have_calls_of_their_own_where_that_is_asked_for() {
    let template = template();
    for function in Function::ALL {
        let is_check = ["authorize", "introspect"].contains(&function.as_str());
        let (condition, parameter) =
            if is_check { ("ReservesChecks", "CheckConcurrency") } else { ("ReservesOthers", "OtherConcurrency") };
        let properties = &template.resource(&resource(function, "Function"))["Properties"];
        let wanted = json!({ "Fn::If": [condition, { "Ref": parameter }, { "Ref": "AWS::NoValue" }] });
        assert_eq!(properties["ReservedConcurrentExecutions"], wanted, "{function}");
    }
}

/// Where the routes stand in the template.
const ROUTES: &str = "  # The routes, written from the rows of functions/src/api by \
                      `LATCHKEY_TEMPLATE=write cargo test --workspace -- every_route_leads`.\n";

/// The routes as the template has them, one after another, in the order of the rows.
fn written_routes() -> String {
    let of_row = |(function, route): (Function, &latchkey::api::Route)| {
        let operation = route.operation;
        format!(
            "  {}{}Route:\n    Type: AWS::ApiGatewayV2::Route\n    Properties:\n      ApiId: !Ref Api\n      RouteKey: \
             {route}\n      Target: !Sub integrations/${{{}}}\n",
            operation[..1].to_uppercase(),
            &operation[1..],
            resource(function, "Integration"),
        )
    };
    routes().map(of_row).collect()
}

#[test]
fn every_route_leads_to_its_function_and_there_are_no_others() {
    let path = root().join("infra/template.yaml");
    if std::env::var_os("LATCHKEY_TEMPLATE").is_some_and(|wish| wish == "write") {
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once(ROUTES).unwrap();
        let after = &rest[rest.find("\n\n").unwrap() + 1..];
        write_atomic(&path, format!("{before}{ROUTES}{}{after}", written_routes()).as_bytes(), 0o644).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(&format!("{ROUTES}{}\n", written_routes())),
        "the routes in `infra/template.yaml` are out of date: run this test with LATCHKEY_TEMPLATE=write"
    );
    let template = template();
    let mut held = BTreeMap::new();
    for (name, route) in template.of_type("AWS::ApiGatewayV2::Route") {
        assert_eq!(route["ApiId"], json!({ "Ref": "Api" }), "{name}");
        // No authorizer stands before the service's own routes: each function checks its caller.
        assert!(route.get("AuthorizerId").is_none() && route.get("AuthorizationType").is_none(), "{name}");
        let key = route["RouteKey"].as_str().unwrap();
        let target = route["Target"]["Fn::Sub"].as_str().unwrap();
        let integration = target.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix('}')).unwrap();
        let integration = &template.resource(integration)["Properties"];
        assert_eq!(integration["IntegrationType"], "AWS_PROXY");
        assert_eq!(integration["PayloadFormatVersion"], "2.0");
        let function = integration["IntegrationUri"]["Fn::GetAtt"][0].as_str().unwrap();
        assert_eq!(held.insert(key.to_owned(), function.to_owned()), None, "{key} stands twice");
    }
    let wanted: BTreeMap<String, String> =
        routes().map(|(function, route)| (route.to_string(), resource(function, "Function"))).collect();
    assert_eq!(held, wanted);
    let functions: BTreeSet<&str> = routes().map(|(function, _)| function.as_str()).collect();
    assert_eq!(template.of_type("AWS::ApiGatewayV2::Integration").count(), functions.len());
}

#[test]
fn the_api_may_call_the_functions_that_have_routes_and_no_others() {
    let template = template();
    let held: BTreeSet<String> = template
        .of_type("AWS::Lambda::Permission")
        .filter(|(name, _)| *name != "RotatePermission")
        .map(|(name, permission)| {
            assert_eq!(permission["Action"], "lambda:InvokeFunction", "{name}");
            assert_eq!(permission["Principal"], "apigateway.amazonaws.com", "{name}");
            let source = permission["SourceArn"]["Fn::Sub"].as_str().unwrap();
            assert!(source.ends_with(":${Api}/*/*"), "{name} lets other APIs in: {source}");
            permission["FunctionName"]["Ref"].as_str().unwrap().to_owned()
        })
        .collect();
    let wanted: BTreeSet<String> = routes().map(|(function, _)| resource(function, "Function")).collect();
    assert_eq!(held, wanted);
}

#[test]
fn there_is_each_function_with_a_role_a_log_and_alarms_of_its_own() {
    let template = template();
    let held: BTreeSet<&str> = template.of_type("AWS::Serverless::Function").map(|(name, _)| name).collect();
    let wanted: Vec<String> = Function::ALL.iter().map(|function| resource(*function, "Function")).collect();
    assert_eq!(held, wanted.iter().map(String::as_str).collect());
    // The schedule's own is one more.
    assert_eq!(template.of_type("AWS::IAM::Role").count(), Function::ALL.len() + 1);
    for function in Function::ALL {
        let properties = &template.resource(&resource(function, "Function"))["Properties"];
        let mut zip = properties["CodeUri"].as_str().unwrap().rsplit('/');
        assert_eq!(zip.next(), Some(format!("{function}.zip").as_str()));
        assert_eq!(properties["FunctionName"]["Fn::Sub"], format!("${{AWS::StackName}}-{function}"));
        assert_eq!(properties["Role"]["Fn::GetAtt"][0], resource(function, "Role"));
        assert_eq!(properties["LoggingConfig"]["LogGroup"]["Ref"], resource(function, "Logs"));
        let logs = &template.resource(&resource(function, "Logs"))["Properties"];
        assert_eq!(logs["RetentionInDays"]["Ref"], "LogRetention");
        for (kind, metric) in [("Errors", "Errors"), ("Throttles", "Throttles"), ("Latency", "Duration")] {
            let alarm = &template.resource(&resource(function, kind))["Properties"];
            assert_eq!(alarm["MetricName"], metric);
            assert_eq!(alarm["Dimensions"][0]["Value"]["Ref"], resource(function, "Function"));
        }
    }
    let every = &template.part("Globals")["Function"];
    assert_eq!(every["Runtime"], "provided.al2023");
    assert_eq!(every["Environment"]["Variables"]["LATCHKEY_TABLE"]["Ref"], "TableName");
    assert_eq!(every["Architectures"][0]["Ref"], "Architecture");
    assert_eq!(template.part("Parameters")["Architecture"]["Default"], "arm64");
}

/// The job runs by a schedule that may invoke it and nothing else, and what fails for good is kept and told.
#[test]
fn a_schedule_invokes_the_job_and_what_fails_is_kept() {
    let template = template();
    let timers: Vec<_> = template.of_type("AWS::Scheduler::Schedule").collect();
    let [(_, timer)] = timers.as_slice() else { panic!("one schedule: {timers:?}") };
    let target = &timer["Target"];
    assert_eq!(target["Arn"]["Fn::GetAtt"][0], "RotateFunction");
    assert_eq!(target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0], "RotateDeadLetters");
    assert_eq!(
        (&timer["ScheduleExpression"]["Ref"], &timer["State"]["Ref"]),
        (&json!("RotateSchedule"), &json!("RotateState"))
    );
    let scheduler = &template.resource("RotateSchedulerRole")["Properties"];
    let trust = &scheduler["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "scheduler.amazonaws.com");
    assert_eq!(trust["Condition"]["StringEquals"]["aws:SourceAccount"]["Ref"], "AWS::AccountId");
    let may = |policy: &Value| -> BTreeSet<(String, String)> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        statements
            .map(|one| {
                (
                    one["Action"].as_str().unwrap().to_owned(),
                    one["Resource"]["Fn::GetAtt"][0].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let wanted = [("lambda:InvokeFunction", "RotateFunction"), ("sqs:SendMessage", "RotateDeadLetters")];
    let wanted = wanted.map(|(action, resource)| (action.to_owned(), resource.to_owned()));
    assert_eq!(may(&scheduler["Policies"][0]["PolicyDocument"]), BTreeSet::from(wanted));
    assert_eq!(
        template.resource("RotateFunction")["Properties"]["DeadLetterQueue"]["TargetArn"]["Fn::GetAtt"][0],
        "RotateDeadLetters"
    );
}

/// Secrets Manager may call the job for secrets of this account, where there are any that the job may write, and nothing
/// else.
#[test]
fn only_secrets_manager_of_this_account_may_call_the_job_for_a_rotation() {
    let template = template();
    let resource = template.resource("RotatePermission");
    assert_eq!(resource["Condition"], "HasRotatedSecrets");
    let wanted = json!({
        "FunctionName": { "Ref": "RotateFunction" },
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": { "Ref": "AWS::AccountId" },
    });
    assert_eq!(resource["Properties"], wanted);
}

/// What the job may do in Secrets Manager is what runs of the tool do there, without the removal of anything, and only
/// with the secrets that the deployment names; its logins it may read.
#[test]
fn the_job_writes_the_secrets_that_are_named_and_reads_logins() {
    let template = template();
    let policies = template.resource("RotateRole")["Properties"]["Policies"].as_array().unwrap();
    let secrets = policies.iter().find_map(|policy| policy["Fn::If"].as_array()).unwrap();
    assert_eq!((&secrets[0], &secrets[2]), (&json!("HasRotatedSecrets"), &json!({ "Ref": "AWS::NoValue" })));
    let statements = secrets[1]["PolicyDocument"]["Statement"].as_array().unwrap();
    assert_eq!(statements[0]["Resource"]["Ref"], "RotatedSecrets");
    let allowed: BTreeSet<&str> = statements
        .iter()
        .flat_map(|one| match &one["Action"] {
            Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap()).collect(),
            action => vec![action.as_str().unwrap()],
        })
        .collect();
    let done: BTreeSet<&str> = latchkey_sinks::aws_secrets_manager::delivering().into_iter().collect();
    assert_eq!(allowed, done);
    let logins = policies.iter().find(|policy| policy["PolicyName"] == "logins").unwrap();
    let statement = &logins["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Action"], "secretsmanager:GetSecretValue");
    assert!(statement["Resource"]["Fn::Sub"].as_str().unwrap().ends_with(":secret:latchkey/logins/*"));
}

#[test]
fn all_alarms_go_to_the_topic_that_is_asked_for() {
    let template = template();
    let wanted = json!({ "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopic" }], { "Ref": "AWS::NoValue" }] });
    let mut count = 0;
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], wanted, "{name}");
        // Nothing to measure is good news, but for a job that has to run.
        let missing = if name == "RotateMissing" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
        count += 1;
    }
    // Besides: the API's, the table's two, and four of the job.
    assert_eq!(count, Function::ALL.len() * 3 + 3 + 4);
}

#[tokio::test]
async fn the_table_has_the_shape_that_the_service_makes_where_no_template_does() {
    let template = template();
    let store = Store::on(Engine::Dynoxide).await;
    let made = store.client().describe_table().table_name(store.table.name()).send().await.unwrap().table.unwrap();
    let keys = |elements: &[aws_sdk_dynamodb::types::KeySchemaElement]| -> Value {
        let element = |element: &aws_sdk_dynamodb::types::KeySchemaElement| json!({ "AttributeName": element.attribute_name, "KeyType": element.key_type.as_str() });
        elements.iter().map(element).collect()
    };
    let table = template.resource("Table");
    let properties = &table["Properties"];
    assert_eq!(properties["KeySchema"], keys(made.key_schema()));
    let names = |value: &Value| -> BTreeSet<(String, String)> {
        let text = |part: &Value| part.as_str().unwrap().to_owned();
        let all = value.as_array().unwrap().iter();
        all.map(|part| (text(&part["AttributeName"]), text(&part["AttributeType"]))).collect()
    };
    let defined: BTreeSet<(String, String)> = made
        .attribute_definitions()
        .iter()
        .map(|part| (part.attribute_name.clone(), part.attribute_type.as_str().to_owned()))
        .collect();
    assert_eq!(names(&properties["AttributeDefinitions"]), defined);
    let mut indexes: BTreeMap<&str, (Value, &str)> = BTreeMap::new();
    for index in made.global_secondary_indexes() {
        let projection = index.projection().unwrap().projection_type().unwrap().as_str();
        indexes.insert(index.index_name().unwrap(), (keys(index.key_schema()), projection));
    }
    let mut held: BTreeMap<&str, (Value, &str)> = BTreeMap::new();
    for index in properties["GlobalSecondaryIndexes"].as_array().unwrap() {
        let projection = index["Projection"]["ProjectionType"].as_str().unwrap();
        held.insert(index["IndexName"].as_str().unwrap(), (index["KeySchema"].clone(), projection));
    }
    assert_eq!(held, indexes);
}

#[test]
fn the_table_is_kept_guarded_and_can_be_restored() {
    let template = template();
    let table = template.resource("Table");
    assert_eq!((&table["DeletionPolicy"], &table["UpdateReplacePolicy"]), (&json!("Retain"), &json!("Retain")));
    let properties = &table["Properties"];
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(properties["DeletionProtectionEnabled"], json!({ "Fn::If": ["IsProtected", true, false] }));
    assert_eq!(template.part("Parameters")["DeletionProtection"]["Default"], "true");
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(properties["TimeToLiveSpecification"], json!({ "AttributeName": "ttl", "Enabled": true }));
}

#[test]
fn access_logs_hold_no_header_and_browsers_are_kept_out_unless_asked_for() {
    let template = template();
    let format = template.resource("ApiStage")["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(format).unwrap().is_object());
    // Only what no caller writes is put between quotes: other words are not escaped.
    let variable = regex::Regex::new(r"\$context\.([A-Za-z.]+)").unwrap();
    let words: BTreeSet<&str> = variable.captures_iter(format).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(!words.contains("error.message") && words.contains("error.responseType"), "{words:?}");
    for word in ["header", "authoriz", "$context.path", "querystring"] {
        assert!(!format.to_lowercase().contains(&word.to_lowercase()), "{format}");
    }
    let stage = &template.resource("ApiStage")["Properties"]["DefaultRouteSettings"];
    assert_eq!(stage["ThrottlingRateLimit"]["Ref"], "ThrottlingRate");
    assert_eq!(stage["ThrottlingBurstLimit"]["Ref"], "ThrottlingBurst");
    assert_eq!(template.part("Parameters")["CorsOrigins"]["Default"], "");
    let cors = &template.resource("Api")["Properties"]["CorsConfiguration"]["Fn::If"];
    assert_eq!((&cors[0], &cors[2]), (&json!("HasCors"), &json!({ "Ref": "AWS::NoValue" })));
}
