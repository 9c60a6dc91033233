//! From what the log names (an item, or a cluster) to clusters of the taxonomy: one small table in memory, joined to the
//! log.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::JoinType;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, col, ident, lit, try_cast, when};
use datafusion::prelude::{DataFrame, SessionContext};

use super::config::ColumnNames;
use super::error::Error;
use super::source::{Column, Source};
use super::text::LINE;
use crate::taxonomy::Taxonomy;

/// The column of the mapping that the log is joined on.
pub(super) const KEY: &str = "__mapped";
/// The cluster of a key; null where the taxonomy does not have it.
pub(super) const CLUSTER: &str = "__cluster";

/// Every cluster, mapped to itself.
pub(super) fn of_clusters(context: &SessionContext, taxonomy: &Taxonomy) -> Result<DataFrame> {
    let ids: Int64Array = taxonomy.clusters().iter().map(|cluster| i64::from(cluster.id.0)).collect();
    let ids = Arc::new(ids);
    let field = |name| Field::new(name, DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![field(KEY), field(CLUSTER)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids.clone(), ids])?;
    context.read_table(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// The key of a log's rows, whole numbers where the column holds numbers, else text.
pub(super) fn key(column: &Column) -> Option<Expr> {
    match &column.stored {
        text if text.is_string() => Some(ident(&column.name)),
        _ => whole_number(column),
    }
}

/// The values of `column` as whole numbers, null where they are none; `None` if it holds no numbers at all.
pub(super) fn whole_number(column: &Column) -> Option<Expr> {
    let value = ident(&column.name);
    let whole = try_cast(value.clone(), DataType::Int64);
    match &column.stored {
        stored if stored.is_integer() => Some(whole),
        // Some tools write whole numbers as 3.0 where a column has nulls.
        stored if stored.is_string() => {
            let number = try_cast(value, DataType::Float64);
            let cut = try_cast(number.clone(), DataType::Int64);
            let exact = try_cast(cut.clone(), DataType::Float64).eq(number);
            when(whole.clone().is_not_null(), whole).when(exact, cut).end().ok()
        }
        // 3.0 is cluster 3, 3.5 is none: a cast alone would cut the fraction off.
        stored if stored.is_numeric() => when(try_cast(whole.clone(), stored.clone()).eq(value), whole).end().ok(),
        _ => None,
    }
}

/// The items of the file at `path`, mapped to their clusters. Keys are whole numbers or text, as in the log.
pub(super) async fn of_items(
    context: &SessionContext,
    path: &Path,
    names: &ColumnNames,
    log_key: &DataType,
    taxonomy: &Taxonomy,
) -> Result<DataFrame, Error> {
    let items = Items::open(context, path, names, log_key)?;
    items.check().await?;
    let failed = |e: DataFusionError| items.refused(e.strip_backtrace());
    let single = items.rows.clone().aggregate(vec![col(ITEM)], vec![min(col(ITEM_CLUSTER)).alias(ITEM_CLUSTER)]);
    let clusters = of_clusters(context, taxonomy).map_err(failed)?;
    let mapped = single.and_then(|single| {
        let joined = clusters.join(single, JoinType::Right, &[KEY], &[ITEM_CLUSTER], None)?;
        joined.select(vec![col(ITEM).alias(KEY), col(CLUSTER)])
    });
    mapped.map_err(failed)?.cache().await.map_err(failed)
}

const ITEM: &str = "__item";
const ITEM_CLUSTER: &str = "__item_cluster";

/// An items file: rows of [`ITEM`] and [`ITEM_CLUSTER`].
struct Items<'a> {
    path: &'a Path,
    /// The columns of the file itself, and the two.
    all: DataFrame,
    /// Those rows that have both.
    rows: DataFrame,
    cluster: String,
}

impl<'a> Items<'a> {
    fn open(context: &SessionContext, path: &'a Path, names: &ColumnNames, log_key: &DataType) -> Result<Self, Error> {
        let source = Source::open(&path.to_string_lossy())?;
        // The items file may follow the log's names or the usual ones.
        let usual = ColumnNames::default();
        let column = |name: &str, usual: &str, role| match source.column(name) {
            Some(column) => Ok(column),
            None => source.require(usual, role),
        };
        let item = column(&names.item, &usual.item, "columns.item, in the items file")?;
        let cluster = column(&names.cluster, &usual.cluster, "columns.cluster, in the items file")?;
        let unfit = || Error::UnfitColumn {
            path: path.to_owned(),
            column: cluster.name.clone(),
            found: cluster.stored.to_string(),
            remedy: "cluster ids are whole numbers",
        };
        let to_cluster = whole_number(cluster).ok_or_else(unfit)?.alias(ITEM_CLUSTER);
        let table = context.read_table(Arc::clone(&source.table));
        let columns = source.table.schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<_>>();
        let key = try_cast(ident(&item.name), log_key.clone()).alias(ITEM);
        let all = table.and_then(|table| table.select([columns, vec![key, to_cluster]].concat()));
        let both = |all: DataFrame| all.filter(col(ITEM).is_not_null().and(col(ITEM_CLUSTER).is_not_null()));
        let refused = |e: DataFusionError| Error::Items { path: path.to_owned(), problem: e.strip_backtrace() };
        let all = all.map_err(refused)?;
        let rows = both(all.clone()).map_err(refused)?;
        Ok(Self { path, all, rows, cluster: cluster.name.clone() })
    }

    fn refused(&self, problem: String) -> Error {
        Error::Items { path: self.path.to_owned(), problem }
    }

    /// Refuses clusters that are no numbers, and items of two clusters.
    async fn check(&self) -> Result<(), Error> {
        let failed = |e: DataFusionError| self.refused(e.strip_backtrace());
        if let Some(problem) = self.unreadable().await.map_err(failed)? {
            return Err(self.refused(problem));
        }
        match self.ambiguous().await.map_err(failed)? {
            Some(problem) => Err(self.refused(problem)),
            None => Ok(()),
        }
    }

    async fn unreadable(&self) -> Result<Option<String>> {
        let cluster = ident(&self.cluster);
        let wrong = self.all.clone().filter(cluster.clone().is_not_null().and(col(ITEM_CLUSTER).is_null()))?;
        let has_lines = self.all.schema().has_column_with_unqualified_name(LINE);
        let line = if has_lines { ident(LINE) } else { lit("?") };
        let row = first_row(wrong.select(vec![line.alias("line"), cluster.alias("found")])?).await?;
        Ok(row.map(|row| format!("line {}: `{}` is no cluster id: a whole number is expected", row[0], row[1])))
    }

    async fn ambiguous(&self) -> Result<Option<String>> {
        let bounds = vec![min(col(ITEM_CLUSTER)).alias("first"), max(col(ITEM_CLUSTER)).alias("last")];
        let items = self.rows.clone().aggregate(vec![col(ITEM)], bounds)?;
        let row = first_row(items.filter(col("first").not_eq(col("last")))?).await?;
        Ok(row.map(|row| format!("item {} is mapped to clusters {} and {}: give it one", row[0], row[1], row[2])))
    }
}

async fn first_row(rows: DataFrame) -> Result<Option<Vec<String>>> {
    let batches = rows.limit(0, Some(1))?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    Ok(Some(batch.columns().iter().map(|column| array_value_to_string(column, 0)).collect::<Result<_, _>>()?))
}
