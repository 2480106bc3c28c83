//! Who gets anything by a tag, and by whose rotation: nobody.

use std::collections::BTreeSet;

use serde_json::json;
use tests::deployment::{Allowed, Template, root};

use super::{OURS, ROTATED, STEPS, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_function_is_enough_for_every_step() {
    let scene = Scene::new().await;
    let before: BTreeSet<String> = scene.manager.operations().into_iter().collect();
    scene.endpoint.asked().take();
    for _ in 0..2 {
        let version = scene.begin(ROTATED, OURS).await;
        for step in STEPS.into_iter().flat_map(|step| [step, step]) {
            scene.step(step, ROTATED, &version).await.unwrap();
        }
    }
    let version = scene.begin(ROTATED, OURS).await;
    scene.refused("finishSecret", ROTATED, &version).await;
    let (template, made) = (Template::read(&root().join("infra/template.yaml")), scene.endpoint.asked().take());
    assert!(made.len() > 50, "{made:?}");
    assert_eq!(Allowed::refused(&template.allowed("rotate"), &made), Vec::<BTreeSet<String>>::new());
    // In Secrets Manager it asks for nothing that runs of the tool do not.
    let may: BTreeSet<String> = latchkey_sinks::aws_secrets_manager::delivering()
        .into_iter()
        .map(|action| action.trim_start_matches("secretsmanager:").to_owned())
        .chain(["GetCallerIdentity".to_owned()])
        .collect();
    let asked: BTreeSet<String> = scene.manager.operations().into_iter().collect();
    assert!(asked.is_subset(&may) && before.is_subset(&may), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_tag_gets_nothing_by_it() {
    let scene = Scene::new().await;
    let before = scene.current().await;
    // A secret that no token declares, and the tag of one that declares another.
    scene.person.call("CreateSecret", json!({ "Name": "mallory/mine", "SecretString": "x" })).await;
    let version = scene.begin("mallory/mine", OURS).await;
    let refused = scene.refused("createSecret", "mallory/mine", &version).await;
    assert!(refused.contains("has no tag `latchkey:token`"), "{refused}");
    let mut told = Vec::new();
    for tag in ["ci/build-api", "ci/nobody", "nobody", "ci/build-api/x"] {
        scene.tag("mallory/mine", tag).await;
        for step in ["createSecret", "finishSecret"] {
            let refused = scene.refused(step, "mallory/mine", &version).await;
            told.push(refused.replace(&format!("`{tag}`"), "`TAG`"));
        }
    }
    assert!(told[0].contains("names `TAG`, which is no token that is delivered to this secret"), "{told:?}");
    assert!(told.iter().all(|one| *one == told[0]), "whether there is such a token is not told: {told:?}");
    // The secret of another token, under a name that is declared.
    scene.tag(ROTATED, "ci/deploy-api").await;
    let version = scene.begin(ROTATED, OURS).await;
    let refused = scene.refused("createSecret", ROTATED, &version).await;
    assert!(refused.contains("names `ci/deploy-api`"), "{refused}");
    assert_eq!(scene.value(ROTATED, "AWSPENDING").await, None);
    // One that several tokens share cannot be rotated for one of them.
    scene.tag("prod/shared", "ci/shared-api").await;
    let version = scene.begin("prod/shared", OURS).await;
    let refused = scene.refused("createSecret", "prod/shared", &version).await;
    assert!(refused.contains("secrets of several tokens") && refused.contains("cancel-rotate-secret"), "{refused}");
    assert_eq!((scene.current().await, scene.versions().await), (before, (1, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_another_function_rotates_is_left_to_it() {
    let scene = Scene::new().await;
    for other in [
        "arn:aws:lambda:eu-west-1:123456789012:function:rds-rotate",
        "arn:aws:lambda:eu-west-1:210987654321:function:latchkey-rotate",
    ] {
        let version = scene.begin(ROTATED, other).await;
        let refused = scene.refused("createSecret", ROTATED, &version).await;
        assert!(
            refused.contains("AWS rotates `prod/build-token` itself with") && refused.contains("rotation_function"),
            "{refused}"
        );
        assert_eq!((scene.versions().await, scene.value(ROTATED, "AWSPENDING").await), ((1, 1), None));
        let end = json!({ "SecretId": ROTATED, "VersionStage": "AWSPENDING", "RemoveFromVersionId": version });
        assert!(scene.person.call("UpdateSecretVersionStage", end).await.status.is_success());
    }
    let blocked = scene.run("rotate ci/build-api");
    assert_ne!(blocked.code, Some(0), "{}", blocked.stdout);
    assert!(format!("{}{}", blocked.stdout, blocked.stderr).contains("AWS rotates `prod/build-token` itself"));
    // One that is not granted any more is not rotated either, whoever asks.
    let version = scene.begin(ROTATED, OURS).await;
    scene.run("manifest grant acme --entry aws-secrets-manager:account=123456789012,region=us-east-1,*").exits(0);
    let refused = scene.refused("createSecret", ROTATED, &version).await;
    assert!(refused.contains("the grant of `acme` does not contain the entry"), "{refused}");
    assert_eq!(scene.versions().await, (1, 1));
}
