//! The table's shape, for where no template makes it.

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};

use super::{DynamoDb, invalid};
use crate::table::TableError;
use crate::table::engine::Failure;
use crate::table::keys::{DUE, DUE_PK, DUE_SK, MANAGED, MANAGED_PK, PK, SK};

impl DynamoDb {
    pub(super) async fn create_if_absent(&self) -> Result<(), Failure> {
        match self.client.describe_table().table_name(&*self.name).send().await {
            Ok(_) => return Ok(()),
            Err(error) => match self.classify(&error) {
                Failure::Table(TableError::Missing(_)) => {}
                failure => return Err(failure),
            },
        }
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let names = [PK, SK, MANAGED_PK, DUE_PK, DUE_SK];
        let attributes: Vec<_> = names.into_iter().map(attribute).collect::<Result<_, _>>().map_err(invalid)?;
        let element =
            |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
        let keys = |pk: &str, sk: &str| -> Result<Vec<KeySchemaElement>, Failure> {
            Ok(vec![element(pk, KeyType::Hash).map_err(invalid)?, element(sk, KeyType::Range).map_err(invalid)?])
        };
        let index = |name: &str, pk: &str, sk: &str| -> Result<GlobalSecondaryIndex, Failure> {
            GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(keys(pk, sk)?))
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
                .map_err(invalid)
        };
        let indexes = vec![index(MANAGED, MANAGED_PK, PK)?, index(DUE, DUE_PK, DUE_SK)?];
        let made = self
            .client
            .create_table()
            .table_name(&*self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes))
            .set_key_schema(Some(keys(PK, SK)?))
            .set_global_secondary_indexes(Some(indexes))
            .send()
            .await;
        match made {
            Ok(_) => Ok(()),
            // Another process was faster.
            Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
                Ok(())
            }
            Err(error) => Err(self.classify(&error)),
        }
    }
}
