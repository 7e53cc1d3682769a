//! Groups of texts: by k-means over their vectors, or by their distances.
//!
//! k-means is compression too: what is sent for a text is the number of its centroid.

use std::collections::BTreeMap;

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use linfa_clustering::KMeansInit;
use lmz::similarity::Distances;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::features::Vector;
use super::features::file::dimensions;
use super::tree::{Joining, Tree};

/// A group of texts, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The member that is nearest to all others together.
    pub medoid: usize,
    /// All members, in order.
    pub members: Vec<usize>,
}

/// Why texts cannot be grouped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("groups: expected 1 to {texts} (so many texts), found {found}")]
    Count { found: usize, texts: usize },
    #[error("k-means: {0}")]
    KMeans(String),
}

fn checked(k: usize, texts: usize) -> Result<(), ClusterError> {
    if (1..=texts).contains(&k) { Ok(()) } else { Err(ClusterError::Count { found: k, texts }) }
}

/// Groups by k-means (Lloyd's algorithm, begun as k-means++ says, the best of several runs) over
/// vectors of length 1, so that directions count and lengths of texts do not. Of the dimensions the
/// heaviest are taken, so many at most, and none that a single text has. The squares of distances
/// to the centroids come out too, as a sum.
pub fn by_vectors(
    vectors: &[Vector],
    k: usize,
    most: usize,
    seed: u64,
) -> Result<(Vec<Group>, f64), ClusterError> {
    checked(k, vectors.len())?;
    let records = dense(vectors, most);
    let data = DatasetBase::from(records.clone());
    let rng = Xoshiro256Plus::seed_from_u64(seed);
    let model = KMeans::params_with_rng(k, rng)
        .init_method(KMeansInit::KMeansPlusPlus)
        .n_runs(10)
        .tolerance(1e-6)
        .fit(&data)
        .map_err(|error| ClusterError::KMeans(error.to_string()))?;
    let found = model.predict(&records);
    let square = |x: usize, y: usize| {
        let difference = &records.row(x) - &records.row(y);
        difference.dot(&difference)
    };
    let inertia = (0..vectors.len())
        .map(|x| {
            let difference = &records.row(x) - &model.centroids().row(found[x]);
            difference.dot(&difference)
        })
        .sum();
    Ok((groups(found.iter().copied(), square), inertia))
}

/// Rows of length 1, in the heaviest dimensions that several texts have.
fn dense(vectors: &[Vector], most: usize) -> Array2<f64> {
    let numbers = dimensions(vectors);
    let mut weights = vec![(0.0, 0); numbers.len()];
    for (dimension, bits) in vectors.iter().flatten() {
        let (weight, texts) = &mut weights[numbers[dimension]];
        *weight += bits;
        *texts += 1;
    }
    let mut heavy: Vec<usize> = (0..weights.len()).filter(|i| weights[*i].1 > 1).collect();
    heavy.sort_by(|a, b| weights[*b].0.total_cmp(&weights[*a].0).then(a.cmp(b)));
    heavy.truncate(most.max(1));
    let columns: BTreeMap<usize, usize> =
        heavy.iter().enumerate().map(|(column, number)| (*number, column)).collect();
    let mut records = Array2::zeros((vectors.len(), columns.len().max(1)));
    for (row, vector) in vectors.iter().enumerate() {
        for (dimension, bits) in vector {
            if let Some(column) = columns.get(&numbers[dimension]) {
                records[(row, *column)] = *bits;
            }
        }
        let mut row = records.row_mut(row);
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    records
}

/// Groups by distances: average linkage (UPGMA), of whose tree the last k - 1 joins are undone.
pub fn by_distances(distances: &Distances, k: usize) -> Result<Vec<Group>, ClusterError> {
    checked(k, distances.count())?;
    let mut parts: Vec<Tree> = Tree::of(distances, Joining::Upgma).into_iter().collect();
    while parts.len() < k {
        let height = |tree: &Tree| tree.height();
        let highest =
            (0..parts.len()).max_by(|a, b| height(&parts[*a]).total_cmp(&height(&parts[*b])));
        let Some(Tree::Join(below)) = highest.map(|at| parts.swap_remove(at)) else { break };
        parts.extend(below.into_iter().map(|(part, _)| part));
    }
    let mut group_of = vec![0; distances.count()];
    for (number, part) in parts.iter().enumerate() {
        part.leaves().into_iter().for_each(|leaf| group_of[leaf] = number);
    }
    Ok(groups(group_of.into_iter(), |x, y| distances.get(x, y)))
}

/// Groups in the order of their first members, with medoids by a distance.
fn groups(
    group_of: impl Iterator<Item = usize>,
    distance: impl Fn(usize, usize) -> f64,
) -> Vec<Group> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    group_of.enumerate().for_each(|(x, group)| members.entry(group).or_default().push(x));
    let mut groups: Vec<Group> = members
        .into_values()
        .map(|members| {
            let far = |x: usize| members.iter().map(|y| distance(x, *y)).sum::<f64>();
            let medoid = members.iter().copied().min_by(|a, b| far(*a).total_cmp(&far(*b)));
            Group { medoid: medoid.unwrap_or(members[0]), members }
        })
        .collect();
    groups.sort_by_key(|group| group.members[0]);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::features::Space;

    #[test]
    fn alike_texts_are_in_a_group() {
        let texts = [
            "the rain in the plain and the wind on the hill ",
            "0192 8374 6510 2938 4756 ",
            "the wind in the plain and the rain on the hill ",
            "6510 2938 4756 0192 8374 ",
            "the hill in the rain and the plain in the wind ",
        ];
        let vectors: Vec<Vector> =
            texts.iter().map(|text| Space::Lzw.vector(text.repeat(4).as_bytes())).collect();
        let (groups, two) = by_vectors(&vectors, 2, 1000, 7).unwrap();
        let members: Vec<_> = groups.iter().map(|group| &group.members[..]).collect();
        assert_eq!(members, [&[0, 2, 4][..], &[1, 3]]);
        assert!(groups.iter().all(|group| group.members.contains(&group.medoid)));
        let (_, one) = by_vectors(&vectors, 1, 1000, 7).unwrap();
        assert!(two < one, "{two} and {one}");
        assert_eq!(by_vectors(&vectors, 2, 1000, 7).unwrap().0, groups);
        assert!(matches!(by_vectors(&vectors, 6, 9, 7), Err(ClusterError::Count { .. })));
        assert!(matches!(by_vectors(&vectors, 0, 9, 7), Err(ClusterError::Count { .. })));
    }

    #[test]
    fn trees_are_cut_at_the_top() {
        let near = |x: usize, y: usize| match (x % 2 == y % 2, x == y) {
            (_, true) => 0.0,
            (true, _) => 0.2 + 0.01 * (x + y) as f64,
            _ => 0.9,
        };
        let values = (0..6).flat_map(|x| (0..6).map(move |y| near(x, y))).collect();
        let distances = Distances::new(6, values).unwrap();
        let members = |k: usize| {
            let groups = by_distances(&distances, k).unwrap();
            groups.into_iter().map(|group| group.members).collect::<Vec<_>>()
        };
        assert_eq!(members(1), [vec![0, 1, 2, 3, 4, 5]]);
        assert_eq!(members(2), [vec![0, 2, 4], vec![1, 3, 5]]);
        assert_eq!(members(6).len(), 6);
        assert_eq!(by_distances(&distances, 2).unwrap()[0].medoid, 0);
        assert!(by_distances(&distances, 7).is_err());
    }
}
