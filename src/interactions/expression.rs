//! SQL expressions of the config, over the columns of one row: parsed, checked, and brought from the types that people
//! mean to those that are stored.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast, ident, lit, try_cast};
use datafusion::scalar::ScalarValue;

use super::error::Error;
use super::source::Source;

/// What is computed from each row.
pub(super) struct Expression {
    /// Its value, over the stored columns.
    pub(super) value: Expr,
    /// The columns it reads.
    pub(super) columns: Vec<String>,
    /// True unless one of them holds a value that is not of its type.
    pub(super) is_readable: Expr,
}

/// What an expression must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// True or false.
    Truth,
    /// A number; true is 1, false is 0.
    Number,
}

impl Expression {
    /// True, whatever the row.
    pub(super) fn always() -> Self {
        Self { value: lit(true), columns: Vec::new(), is_readable: lit(true) }
    }

    /// Reads `expression`, which stands at `key` of the config, over the columns of `source`.
    pub(super) fn parse(
        state: &SessionState,
        key: &str,
        expression: &str,
        wanted: Wanted,
        source: &Source,
    ) -> Result<Self, Error> {
        let refused = |problem: String, near: &str| Error::Expression {
            key: key.to_owned(),
            expression: expression.to_owned(),
            problem,
            known: source.known(near),
        };
        let mut types: Types = source.columns.iter().map(|c| (c.name.clone(), c.seen.clone())).collect();
        let planned = |types: &Types| {
            plan(state, expression, types).map_err(|e| refused(problem(&e), &missing(&e).unwrap_or_default()))
        };
        let (draft, schema) = planned(&types)?;
        types.extend(compared_with_numbers(&draft, &schema).into_iter().map(|name| (name, DataType::Float64)));
        let (expr, schema) = planned(&types)?;
        check(&expr, &schema, wanted).map_err(|problem| refused(problem, ""))?;
        let columns: BTreeSet<String> = expr.column_refs().into_iter().map(|column| column.name.clone()).collect();
        for name in &columns {
            source.require(name, "read by an expression of the config")?;
        }
        let casts = casts(source, &types, &columns);
        let value = substituted(expr, &casts).map_err(|e| refused(problem(&e), ""))?;
        let readable = casts.iter().map(|(name, cast)| ident(name).is_null().or(cast.clone().is_not_null()));
        let is_readable = readable.reduce(Expr::and).unwrap_or_else(|| lit(true));
        let value = if wanted == Wanted::Number { cast(value, DataType::Float64) } else { value };
        Ok(Self { value, columns: columns.into_iter().collect(), is_readable })
    }
}

/// The columns and the types that the expression sees.
type Types = BTreeMap<String, DataType>;

fn plan(state: &SessionState, expression: &str, types: &Types) -> Result<(Expr, DFSchema), DataFusionError> {
    let fields = types.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    let schema = DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>()))?;
    let expr = state.create_logical_expr(expression, &schema)?;
    Ok((expr, schema))
}

fn check(expr: &Expr, schema: &DFSchema, wanted: Wanted) -> Result<(), String> {
    let is_of_many_rows = |expr: &Expr| {
        use Expr::{AggregateFunction, Exists, InSubquery, ScalarSubquery, WindowFunction};
        Ok(matches!(expr, AggregateFunction(_) | WindowFunction(_) | Exists(_) | InSubquery(_) | ScalarSubquery(_)))
    };
    if expr.exists(is_of_many_rows).unwrap_or(true) {
        return Err("it must concern one row: no aggregates, windows or subqueries".to_owned());
    }
    match expr.get_type(schema) {
        _ if matches!(expr, Expr::Alias(_)) => Err("it is followed by more than an expression".to_owned()),
        Ok(DataType::Boolean) => Ok(()),
        Ok(number) if wanted == Wanted::Number && number.is_numeric() => Ok(()),
        Ok(other) if wanted == Wanted::Number => {
            Err(format!("it gives {other}, but must be a number, or true or false"))
        }
        Ok(other) => Err(format!("it gives {other}, but must be true or false: compare it with something")),
        Err(error) => Err(problem(&error)),
    }
}

/// Text columns that stand in a comparison with a number: there, numbers are meant.
fn compared_with_numbers(expr: &Expr, schema: &DFSchema) -> Vec<String> {
    let mut names = Vec::new();
    let gathered = expr.apply(|expr| {
        let sides = compared(expr);
        let is = |side: &Expr, kind: fn(&DataType) -> bool| side.get_type(schema).is_ok_and(|found| kind(&found));
        if sides.iter().any(|side| is(side, DataType::is_numeric)) {
            let texts = sides.iter().filter(|side| is(side, DataType::is_string));
            names.extend(texts.filter_map(|side| side.try_as_col()).map(|column| column.name.clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    gathered.map(|_| names).unwrap_or_default()
}

fn compared(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => vec![left, right],
        Expr::Between(Between { expr, low, high, .. }) => vec![expr, low, high],
        Expr::InList(InList { expr, list, .. }) => std::iter::once(expr.as_ref()).chain(list).collect(),
        _ => Vec::new(),
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// How the columns that are stored otherwise than they are seen are cast.
fn casts(source: &Source, types: &Types, columns: &BTreeSet<String>) -> BTreeMap<String, Expr> {
    let used = source.columns.iter().filter(|column| columns.contains(&column.name));
    let seen = used.filter_map(|column| Some((column, types.get(&column.name)?)));
    let otherwise = seen.filter(|(column, seen)| column.stored != **seen);
    let read = |column: &str, seen: &DataType| match seen {
        DataType::Null => lit(ScalarValue::Null),
        seen => try_cast(ident(column), seen.clone()),
    };
    otherwise.map(|(column, seen)| (column.name.clone(), read(&column.name, seen))).collect()
}

fn substituted(expr: Expr, casts: &BTreeMap<String, Expr>) -> Result<Expr, DataFusionError> {
    let replaced = expr.transform(|expr| match &expr {
        Expr::Column(Column { name, .. }) => match casts.get(name) {
            Some(cast) => Ok(Transformed::new(cast.clone(), true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(expr)),
        },
        _ => Ok(Transformed::no(expr)),
    });
    Ok(replaced?.data)
}

fn problem(error: &DataFusionError) -> String {
    match (error.find_root(), missing(error)) {
        (_, Some(column)) => format!("the log has no column `{column}`"),
        (DataFusionError::SQL(parser, _), _) => parser.to_string(),
        (other, _) => other.strip_backtrace(),
    }
}

/// The column that an expression names but the log lacks.
fn missing(error: &DataFusionError) -> Option<String> {
    let DataFusionError::SchemaError(schema, _) = error.find_root() else { return None };
    match schema.as_ref() {
        SchemaError::FieldNotFound { field, .. } => Some(field.name.clone()),
        _ => None,
    }
}
