//! Trees of distances: UPGMA and neighbour joining, and Newick's format.

use kodama::{Method, linkage};
use lmz::similarity::Distances;

use super::matrix::is_syntax;

/// How a tree is made of distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// Unweighted pair groups with arithmetic means (Sokal and Michener, 1958): average linkage.
    /// All leaves are equally far from the root.
    Upgma,
    /// Neighbour joining (Saitou and Nei, 1987, with the sums of Studier and Keppler, 1988):
    /// branches are as long as distances ask for. There is no root; the last three are joined in
    /// one node.
    NeighbourJoining,
}

/// A tree whose leaves are texts, by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Leaf(usize),
    /// Parts, and how long the branches to them are. Neighbour joining can give lengths below 0.
    Join(Vec<(Tree, f64)>),
}

impl Tree {
    /// Of one text or more; nothing of none.
    pub fn of(distances: &Distances, joining: Joining) -> Option<Self> {
        match (distances.count(), joining) {
            (0, _) => None,
            (1, _) => Some(Self::Leaf(0)),
            (_, Joining::Upgma) => Some(upgma(distances)),
            (_, Joining::NeighbourJoining) => Some(neighbour_joining(distances)),
        }
    }

    /// The texts, from the first branch to the last.
    pub fn leaves(&self) -> Vec<usize> {
        match self {
            Self::Leaf(number) => vec![*number],
            Self::Join(parts) => parts.iter().flat_map(|(part, _)| part.leaves()).collect(),
        }
    }

    /// How far the leaves are from the root, at most.
    pub fn height(&self) -> f64 {
        match self {
            Self::Leaf(_) => 0.0,
            Self::Join(parts) => parts
                .iter()
                .map(|(part, length)| length.max(0.0) + part.height())
                .fold(0.0, f64::max),
        }
    }

    /// In Newick's format, with a line feed at the end.
    pub fn newick(&self, names: &[String]) -> String {
        let mut out = String::new();
        self.write(names, &mut out);
        out + ";\n"
    }

    fn write(&self, names: &[String], out: &mut String) {
        match self {
            Self::Leaf(number) => {
                let name = &names[*number];
                match name.contains(is_syntax) {
                    true => *out += &format!("'{}'", name.replace('\'', "''")),
                    false => *out += name,
                }
            }
            Self::Join(parts) => {
                for (number, (part, length)) in parts.iter().enumerate() {
                    out.push(if number == 0 { '(' } else { ',' });
                    part.write(names, out);
                    *out += &format!(":{length:.6}");
                }
                out.push(')');
            }
        }
    }
}

fn upgma(distances: &Distances) -> Tree {
    let n = distances.count();
    let mut condensed: Vec<f64> =
        (0..n).flat_map(|x| (x + 1..n).map(move |y| distances.get(x, y))).collect();
    let steps = linkage(&mut condensed, n, Method::Average);
    // Clusters by their numbers, each with its height; those that are joined are taken out.
    let mut clusters: Vec<Option<(Tree, f64)>> =
        (0..n).map(|x| Some((Tree::Leaf(x), 0.0))).collect();
    for step in steps.steps() {
        let height = step.dissimilarity / 2.0;
        let parts = [step.cluster1, step.cluster2].into_iter();
        let parts = parts.filter_map(|x| clusters[x].take());
        let parts = parts.map(|(tree, below)| (tree, height - below)).collect();
        clusters.push(Some((Tree::Join(parts), height)));
    }
    clusters.pop().flatten().map_or(Tree::Leaf(0), |(tree, _)| tree)
}

fn neighbour_joining(distances: &Distances) -> Tree {
    let n = distances.count();
    let mut nodes: Vec<Tree> = (0..n).map(Tree::Leaf).collect();
    let mut d: Vec<Vec<f64>> = (0..n)
        .map(|x| (0..n).map(|y| if x == y { 0.0 } else { distances.get(x, y) }).collect())
        .collect();
    while nodes.len() > 3 {
        let count = nodes.len();
        let sums: Vec<f64> = d.iter().map(|row| row.iter().sum()).collect();
        let criterion = |x: usize, y: usize| (count as f64 - 2.0) * d[x][y] - sums[x] - sums[y];
        let pairs = (0..count).flat_map(|x| (x + 1..count).map(move |y| (x, y)));
        let least = pairs.min_by(|a, b| criterion(a.0, a.1).total_cmp(&criterion(b.0, b.1)));
        let Some((x, y)) = least else { break };
        let to_x = d[x][y] / 2.0 + (sums[x] - sums[y]) / (2.0 * (count as f64 - 2.0));
        let to_y = d[x][y] - to_x;
        let to_new: Vec<f64> = (0..count).map(|z| (d[x][z] + d[y][z] - d[x][y]) / 2.0).collect();
        // y is behind x: what takes its place first is not in the way.
        let second = nodes.swap_remove(y);
        let first = std::mem::replace(&mut nodes[x], Tree::Leaf(0));
        nodes[x] = Tree::Join(vec![(first, to_x), (second, to_y)]);
        d.swap_remove(y);
        for row in &mut d {
            row.swap_remove(y);
        }
        let mut to_new = to_new;
        to_new.swap_remove(y);
        to_new[x] = 0.0;
        for (z, distance) in to_new.iter().enumerate() {
            (d[x][z], d[z][x]) = (*distance, *distance);
        }
    }
    let lengths = match d.len() {
        3 => [(0, 1, 2), (1, 0, 2), (2, 0, 1)]
            .map(|(x, y, z)| (d[x][y] + d[x][z] - d[y][z]) / 2.0)
            .to_vec(),
        _ => vec![d[0][1] / 2.0; 2],
    };
    Tree::Join(nodes.into_iter().zip(lengths).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|x| char::from(b'a' + x as u8).to_string()).collect()
    }

    fn matrix(rows: &[&[f64]]) -> Distances {
        Distances::new(rows.len(), rows.concat()).unwrap()
    }

    /// Three texts whose tree can be worked out on paper.
    #[test]
    fn upgma_joins_the_nearest_and_takes_means() {
        let d = matrix(&[&[0.0, 0.2, 0.6], &[0.2, 0.0, 0.8], &[0.6, 0.8, 0.0]]);
        let tree = Tree::of(&d, Joining::Upgma).unwrap();
        // a and b at 0.1; c at (0.6 + 0.8) / 2 / 2 = 0.35.
        let newick = tree.newick(&names(3));
        let either = [
            "(c:0.350000,(a:0.100000,b:0.100000):0.250000);\n",
            "((a:0.100000,b:0.100000):0.250000,c:0.350000);\n",
        ];
        assert!(either.contains(&&newick[..]), "{newick}");
    }

    /// Distances that are sums of branches give back the branches: here those of the tree
    /// ((a:1,b:2):1,(c:1,d:3):2,e:5).
    #[test]
    fn neighbour_joining_finds_the_tree_that_distances_are_of() {
        let d = matrix(&[
            &[0.0, 3.0, 5.0, 7.0, 7.0],
            &[3.0, 0.0, 6.0, 8.0, 8.0],
            &[5.0, 6.0, 0.0, 4.0, 8.0],
            &[7.0, 8.0, 4.0, 0.0, 10.0],
            &[7.0, 8.0, 8.0, 10.0, 0.0],
        ]);
        let tree = Tree::of(&d, Joining::NeighbourJoining).unwrap();
        let path = paths(&tree);
        for x in 0..5 {
            for y in 0..5 {
                let found = between(&path[x], &path[y]);
                assert!((found - d.get(x, y)).abs() < 1e-9, "{x} {y}: {found}, {tree:?}");
            }
        }
        let mut leaves = tree.leaves();
        leaves.sort_unstable();
        assert_eq!(leaves, [0, 1, 2, 3, 4]);
    }

    /// The branches from the root to each leaf: which one at each node, and how long.
    fn paths(tree: &Tree) -> Vec<Vec<(usize, f64)>> {
        fn walk(tree: &Tree, path: &[(usize, f64)], out: &mut Vec<(usize, Vec<(usize, f64)>)>) {
            match tree {
                Tree::Leaf(number) => out.push((*number, path.to_vec())),
                Tree::Join(parts) => {
                    for (number, (part, length)) in parts.iter().enumerate() {
                        walk(part, &[path, &[(number, *length)]].concat(), out);
                    }
                }
            }
        }
        let mut out = Vec::new();
        walk(tree, &[], &mut out);
        out.sort_by_key(|(number, _)| *number);
        out.into_iter().map(|(_, path)| path).collect()
    }

    fn between(x: &[(usize, f64)], y: &[(usize, f64)]) -> f64 {
        let common = x.iter().zip(y).take_while(|(a, b)| a.0 == b.0).count();
        x[common..].iter().chain(&y[common..]).map(|(_, length)| length).sum()
    }

    #[test]
    fn few_texts_and_odd_names() {
        assert_eq!(Tree::of(&matrix(&[]), Joining::Upgma), None);
        for joining in [Joining::Upgma, Joining::NeighbourJoining] {
            let one = Tree::of(&matrix(&[&[0.1]]), joining).unwrap();
            assert_eq!(one.newick(&["it's (a)".into()]), "'it''s (a)';\n");
            let two = Tree::of(&matrix(&[&[0.1, 0.5], &[0.5, 0.1]]), joining).unwrap();
            assert_eq!(two.newick(&names(2)), "(a:0.250000,b:0.250000);\n");
        }
    }
}
