use latchkey::lifetime::Seconds;
use latchkey::name::UserName;
use latchkey::service::CreateError;
use latchkey::token::TokenState;
use tests::world::{World, name, new_token};

#[tokio::test]
async fn a_token_lives_31_days_unless_asked_otherwise() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    assert_eq!(made.token.expires_at, Some(Seconds::days(31).after(world.now())));
    world.valid(made.secret.expose()).await;
    world.clock.advance(Seconds::days(31));
    assert_eq!(made.token.state(world.now()), TokenState::Expired);
    let refused = world.service.create(&world.admin, new_token("nobody", "x")).await;
    assert!(matches!(refused, Err(CreateError::NoSuchUser(user)) if user == name::<UserName>("nobody")));
}
