//! The model file.
//!
//! All numbers are little endian; the first three parts and the checksum stand in every version of the format.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 4 | version of the format: 1 |
//! | 8 | length of the whole file |
//! | 4 | length of the header |
//! | .. | header: the [`Summary`] as JSON |
//! | 6 each | nodes, tree behind tree, each breadth first: the children of the k-th split are the nodes 2k + 1 and 2k + 2 |
//! | 4 | CRC-32 of everything before it |
//!
//! A node is two bytes for the feature and four for the threshold (a 32-bit float), or `0xffff` and the number of rows that
//! ended in this leaf. Where a tree ends follows from its nodes, so there is no reference in the file that could be wrong.

use serde_json::Error as JsonError;

use crate::error::ModelError;
use crate::forest::{Branch, Forest};
use crate::model::Model;
use crate::model::foreign::foreign;
use crate::summary::Summary;

/// How a model file begins. The first byte is no text, the line ends show whether a transfer changed any, and the character
/// before the last one ends a listing on Windows.
pub const MAGIC: [u8; 8] = *b"\x89WKM\r\n\x1a\n";
/// Latest version of the format that this program knows, and the one it writes.
const VERSION: u32 = 1;
/// Magic, version, length of the file.
const PREFIX: usize = 20;
const CHECKSUM: usize = 4;
const NODE: usize = 6;
/// In place of a feature: a leaf.
const LEAF: u16 = u16::MAX;

pub(super) fn write(model: &Model) -> Vec<u8> {
    let header = serde_json::to_vec(&model.summary).expect("a summary has only strings for keys and finite numbers");
    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header);
    for branch in model.forest.shapes().flatten() {
        match branch {
            Branch::Split { feature, threshold } => {
                bytes.extend(feature.to_le_bytes());
                bytes.extend(threshold.to_le_bytes());
            }
            Branch::Leaf { rows } => {
                bytes.extend(LEAF.to_le_bytes());
                bytes.extend(u32::from(rows).to_le_bytes());
            }
        }
    }
    let length = (bytes.len() + CHECKSUM) as u64;
    bytes[PREFIX - 8..PREFIX].copy_from_slice(&length.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<Model, ModelError> {
    let damaged = |what: String| ModelError::Damaged { what };
    let body = sealed_body(bytes)?;
    let (header, nodes) = body
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize))
        .ok_or_else(|| damaged("its header is cut".to_owned()))?;
    let summary: Summary = serde_json::from_slice(header)
        .map_err(|error| damaged(format!("its header cannot be read, {}", place(&error))))?;
    if let Some(what) = summary.contradiction() {
        return Err(damaged(what.to_owned()));
    }
    let forest = read_forest(&summary, nodes).map_err(damaged)?;
    Ok(Model { forest, summary })
}

/// What stands between the length and the checksum, which both are right.
fn sealed_body(bytes: &[u8]) -> Result<&[u8], ModelError> {
    let damaged = |what: String| Err(ModelError::Damaged { what });
    let begin = bytes.len().min(MAGIC.len());
    if begin == 0 || bytes[..begin] != MAGIC[..begin] {
        return Err(foreign(bytes));
    }
    let cut = |bytes: &[u8]| format!("it ends after {} bytes", bytes.len());
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return damaged(cut(bytes)) };
    let [_, _, _, _, _, _, _, _, version @ .., l0, l1, l2, l3, l4, l5, l6, l7] = *prefix;
    let length = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    if length > bytes.len() as u64 {
        return damaged(format!("{} of {length} bytes", cut(bytes)));
    }
    if length < bytes.len() as u64 {
        return damaged(format!("{} bytes follow behind its end", bytes.len() as u64 - length));
    }
    let Some((body, checksum)) = rest.split_last_chunk::<CHECKSUM>() else { return damaged(cut(bytes)) };
    if crc32fast::hash(&bytes[..bytes.len() - CHECKSUM]) != u32::from_le_bytes(*checksum) {
        return damaged("its checksum does not fit its content".to_owned());
    }
    match u32::from_le_bytes(version) {
        VERSION => Ok(body),
        0 => damaged("its format version is 0".to_owned()),
        found => Err(ModelError::Newer { found, known: VERSION }),
    }
}

fn read_forest(summary: &Summary, nodes: &[u8]) -> Result<Forest, String> {
    let (nodes, rest) = nodes.as_chunks::<NODE>();
    if !rest.is_empty() {
        return Err("its last node is cut".to_owned());
    }
    let mut forest = Forest::without_trees(summary.features.len(), summary.samples);
    let mut nodes = nodes.iter();
    let mut shape = Vec::new();
    for tree in 1..=summary.trees {
        shape.clear();
        // One branch is open at the root; a split opens one more, a leaf closes one.
        let mut open = 1_usize;
        while open > 0 {
            let node = nodes.next().ok_or_else(|| format!("its trees end within tree {tree} of {}", summary.trees))?;
            let branch = read_node(*node).ok_or_else(|| format!("a leaf of tree {tree} has too many rows"))?;
            match branch {
                Branch::Split { .. } => open += 1,
                Branch::Leaf { .. } => open -= 1,
            }
            shape.push(branch);
        }
        forest.add(&shape).map_err(|error| format!("tree {tree} is none: {error}"))?;
    }
    match nodes.len() {
        0 => Ok(forest),
        more => Err(format!("{more} nodes follow behind its last tree")),
    }
}

fn read_node(bytes: [u8; NODE]) -> Option<Branch> {
    let [f0, f1, value @ ..] = bytes;
    match u16::from_le_bytes([f0, f1]) {
        LEAF => u16::try_from(u32::from_le_bytes(value)).ok().map(|rows| Branch::Leaf { rows }),
        feature => Some(Branch::Split { feature, threshold: f32::from_le_bytes(value) }),
    }
}

/// Where JSON goes wrong; not what stands there, because that is foreign text.
fn place(error: &JsonError) -> String {
    format!("line {} column {}", error.line(), error.column())
}
