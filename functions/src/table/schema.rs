//! The table's shape, for where no template makes it: embedded and in tests.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};

use super::failure::Failure;
use super::keys::{DUE, DUE_PK, DUE_SK, MANAGED, MANAGED_PK, PK, SK};
use super::{Table, TableError};

impl Table {
    /// Creates the table unless it exists.
    ///
    /// # Errors
    /// Whatever the table answers.
    pub async fn create_if_absent(&self) -> Result<(), TableError> {
        match self.retry(|| self.client.describe_table().table_name(&*self.name).send()).await {
            Ok(_) => return Ok(()),
            Err(Failure::Table(TableError::Missing(_))) => {}
            Err(failure) => return Err(failure.into()),
        }
        match self.create().await {
            // Another process was faster.
            Ok(()) | Err(Failure::Exists(_)) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn create(&self) -> Result<(), Failure> {
        let invalid = |error: aws_sdk_dynamodb::error::BuildError| TableError::Invalid(error.to_string());
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let names = [PK, SK, MANAGED_PK, DUE_PK, DUE_SK];
        let attributes: Vec<_> = names.into_iter().map(attribute).collect::<Result<_, _>>().map_err(invalid)?;
        let element =
            |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
        let keys = |pk: &str, sk: &str| -> Result<Vec<KeySchemaElement>, TableError> {
            Ok(vec![element(pk, KeyType::Hash).map_err(invalid)?, element(sk, KeyType::Range).map_err(invalid)?])
        };
        let index = |name: &str, pk: &str, sk: &str| -> Result<GlobalSecondaryIndex, TableError> {
            GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(keys(pk, sk)?))
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
                .map_err(invalid)
        };
        let indexes = vec![index(MANAGED, MANAGED_PK, PK)?, index(DUE, DUE_PK, DUE_SK)?];
        let schema = keys(PK, SK)?;
        self.retry(|| {
            self.client
                .create_table()
                .table_name(&*self.name)
                .billing_mode(BillingMode::PayPerRequest)
                .set_attribute_definitions(Some(attributes.clone()))
                .set_key_schema(Some(schema.clone()))
                .set_global_secondary_indexes(Some(indexes.clone()))
                .send()
        })
        .await?;
        Ok(())
    }
}
