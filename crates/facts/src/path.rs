//! Paths by their components, without a look at any file system: links and `..` stay as they are.

/// The path without doubled and trailing slashes and without `.` components, as systemd writes it
/// (`path_simplify()`); the empty path becomes `.`.
pub fn simplify(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for part in components(path) {
        if !out.is_empty() || path.starts_with('/') {
            out.push('/');
        }
        out.push_str(part);
    }
    if out.is_empty() {
        out.push_str(if path.starts_with('/') { "/" } else { "." });
    }
    out
}

/// Whether `path` is `root` or lies below it: `/mnt/nas2` does not lie below `/mnt/nas`. Neither
/// needs to be simplified; a relative path lies below no absolute one.
///
/// An audit asks this millions of times, so byte by byte: most pairs differ early.
pub fn is_below(path: &str, root: &str) -> bool {
    if path.starts_with('/') != root.starts_with('/') {
        return false;
    }
    let (mut path, mut root) = (path.as_bytes(), root.as_bytes());
    loop {
        root = component_start(root);
        if root.is_empty() {
            return true;
        }
        path = component_start(path);
        let mut at = 0;
        loop {
            match (root.get(at), path.get(at)) {
                (None | Some(b'/'), None | Some(b'/')) => break,
                (a, b) if a == b => at += 1,
                _ => return false,
            }
        }
        (root, path) = (&root[at..], &path[at..]);
    }
}

/// The path from its first component on that is not `.`.
fn component_start(mut path: &[u8]) -> &[u8] {
    loop {
        match path {
            [b'/', rest @ ..] => path = rest,
            [b'.'] => return &[],
            [b'.', b'/', rest @ ..] => path = rest,
            _ => return path,
        }
    }
}

/// What a path lies in; `None` for the root and for a plain name. For a simplified path.
pub fn parent(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    match (path, parent) {
        ("/", _) => None,
        (_, "") => Some("/"),
        (_, parent) => Some(parent),
    }
}

/// The path and all that it lies in, nearest first: `/a/b`, `/a`, `/`. For a simplified path.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path))
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_as_systemd_writes_them() {
        for (path, simple) in [
            ("//a/./b//", "/a/b"),
            ("/", "/"),
            ("/./", "/"),
            ("a//b/.", "a/b"),
            ("none", "none"),
            (".", "."),
            ("", "."),
            ("/a/../b", "/a/../b"),
        ] {
            assert_eq!(simplify(path), simple, "{path}");
        }
    }

    #[test]
    fn below_is_by_components() {
        for (path, root) in [
            ("/mnt/nas/vms", "/mnt/nas/"),
            ("/mnt/nas", "/mnt//nas"),
            ("/x", "/"),
            ("a/b", "a"),
        ] {
            assert!(is_below(path, root), "{path} {root}");
        }
        for (path, root) in [
            ("/mnt/nas2", "/mnt/nas"),
            ("/mnt", "/mnt/nas"),
            ("none", "/"),
            ("/a", "a"),
        ] {
            assert!(!is_below(path, root), "{path} {root}");
        }
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let all = |path| ancestors(path).collect::<Vec<_>>();
        assert_eq!(all("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(all("/"), ["/"]);
        assert_eq!(all("a/b"), ["a/b", "a"]);
    }

    proptest! {
        #[test]
        fn simplifying_changes_no_answer(path in "/?([ab.]/{0,2}){0,4}", root in "/?([ab.]/{0,2}){0,3}") {
            prop_assert_eq!(simplify(&simplify(&path)), simplify(&path));
            prop_assert_eq!(
                is_below(&path, &root),
                is_below(&simplify(&path), &simplify(&root))
            );
        }
    }
}
