//! Whose row it is, where rows of several tenants share objects.

use export::{Dataset, Workspace};

use crate::{
    field_ref::{FieldRef, field_ref},
    text::text_of,
};

/// Chooses the rows of one tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    field: FieldRef,
    /// What the lake calls the tenant; `None` if it has no rows of it.
    name: Option<String>,
}

impl Tenant {
    /// Binds the field of a dataset in which rows name their tenant; `None` if they do not.
    pub(crate) fn of(
        dataset: &Dataset,
        workspace: &Workspace,
        names: &mut Vec<String>,
    ) -> Option<Self> {
        let field = field_ref(names, dataset.tenancy.field()?);
        Some(Self { field, name: dataset.tenancy.name_of(workspace).map(str::to_owned) })
    }

    /// Tells whether a row is the tenant's. A row that names no tenant is nobody's.
    pub(crate) fn owns(&self, found: &[Option<&str>]) -> bool {
        let (Some(name), Some(json)) = (&self.name, self.field.find(found)) else { return false };
        let is_name = json != "null" && !json.starts_with(['{', '[']);
        let text = text_of(json);
        is_name && text.is_unicode && text.text == name.as_str()
    }
}
