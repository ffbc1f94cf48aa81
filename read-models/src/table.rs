//! Tables described once: every store creates them, writes them and hashes their rows from this.

use domain::Timestamp;
use uuid::Uuid;

/// A table of a read model. Physical names carry the generation (`itineraries_g3`).
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The logical name, `itineraries`.
    pub name: &'static str,
    /// What a row is, for `COMMENT ON TABLE` and the documents.
    pub comment: &'static str,
    /// The columns; the first `key_columns` of them are the primary key.
    pub columns: &'static [Column],
    /// How many leading columns make the key.
    pub key_columns: usize,
    /// Further indexes that the queries need.
    pub indexes: &'static [Index],
    /// Whether rows are only ever inserted, each once: no store needs to load or update them.
    pub append_only: bool,
}

impl Table {
    /// Whether the key or an ordered index holds the column.
    #[must_use]
    pub fn indexes(&self, column: &str) -> bool {
        let ordered = |index: &Index| match index.kind {
            IndexKind::Ordered(columns) | IndexKind::Present(columns) => columns.contains(&column),
            IndexKind::FullText(_) | IndexKind::Json(_) => false,
        };
        self.key().iter().any(|key| key.name == column) || self.indexes.iter().any(ordered)
    }

    /// The columns of the primary key.
    #[must_use]
    pub fn key(&self) -> &'static [Column] {
        &self.columns[..self.key_columns]
    }
}

/// A column of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it means, with its unit.
    pub comment: &'static str,
}

/// What a column holds; each store maps it to its own type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A truth value.
    Bool,
    /// A 64-bit integer.
    Integer,
    /// Text without NUL characters, up to 1 MiB; compared by code point.
    Text,
    /// A UUID.
    Uuid,
    /// An instant with microseconds.
    Timestamp,
    /// A calendar date, as days since 1970.
    Date,
    /// A canonical JSON document, up to 16 MiB.
    Json,
    /// 32 bytes.
    Digest,
}

/// A secondary index.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, unique within the table.
    pub name: &'static str,
    /// Over what.
    pub kind: IndexKind,
}

/// What an index serves.
#[derive(Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Equality and order over these columns.
    Ordered(&'static [&'static str]),
    /// The same, of rows whose first column is not null: as small as what is open of a long table,
    /// where the store can. Redis keeps none.
    Present(&'static [&'static str]),
    /// Full-text search in this text column of normalized words ([`crate::search`]).
    FullText(&'static str),
    /// Containment in a JSON document, where the store can.
    Json(&'static str),
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// Text without NUL characters.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// An instant.
    Timestamp(Timestamp),
    /// Days since 1970.
    Date(i32),
    /// A JSON document in canonical form: keys sorted, no white space, so that equal documents are
    /// equal bytes in every store.
    Json(String),
    /// 32 bytes.
    Digest([u8; 32]),
}

/// A typed row of one table.
pub trait Row: Sized {
    /// Its table.
    const TABLE: &'static Table;

    /// The values in column order.
    fn into_values(self) -> Vec<Value>;

    /// Reads a row that a store returned.
    ///
    /// # Errors
    /// A sentence, when the values are not such a row.
    fn from_values(values: Vec<Value>) -> Result<Self, String>;
}
