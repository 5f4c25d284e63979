package strictyaml

import (
	"github.com/goccy/go-yaml/ast"
)

// resolve puts the anchored value in the place of every alias and expands every merge key (`<<`), so that parts of a file can be
// decoded by themselves. A key that stands beside a merge key wins over the merged one.
func resolve(file *ast.File) {
	r := resolver{}
	for _, doc := range file.Docs {
		ast.Walk(r, doc.Body)
	}
}

// resolver maps the names of the anchors seen so far to their values; YAML wants an anchor before its aliases.
type resolver map[string]ast.Node

// Visit implements ast.Visitor.
func (r resolver) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode:
		r[n.Name.GetToken().Value] = n.Value
	case *ast.MappingNode:
		n.Values = r.merge(n.Values)
	case *ast.MappingValueNode:
		n.Value = r.value(n.Value)
	case *ast.SequenceNode:
		for i := range n.Values {
			n.Values[i] = r.value(n.Values[i])
		}
	}
	return r
}

// value returns what an alias stands for; other nodes, and aliases of nothing, as they are.
func (r resolver) value(n ast.Node) ast.Node {
	if a, ok := n.(*ast.AliasNode); ok {
		if v, known := r[a.Value.GetToken().Value]; known {
			return v
		}
	}
	return n
}

// merge expands the merge keys among the pairs of a mapping.
func (r resolver) merge(pairs []*ast.MappingValueNode) []*ast.MappingValueNode {
	seen := map[string]bool{}
	var out, merged []*ast.MappingValueNode
	for _, p := range pairs {
		if _, ok := p.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, r.pairs(p.Value)...)
			continue
		}
		seen[p.Key.GetToken().Value] = true
		out = append(out, p)
	}
	for _, p := range merged {
		if key := p.Key.GetToken().Value; !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

// pairs returns the pairs of the mapping, or mappings, that a merge key names; the first of several wins.
func (r resolver) pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := Unwrap(r.value(n)).(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.SequenceNode:
		var out []*ast.MappingValueNode
		for _, item := range n.Values {
			out = append(out, r.pairs(item)...)
		}
		return out
	}
	return nil
}

// Unwrap returns the value of an anchored node.
func Unwrap(n ast.Node) ast.Node {
	if a, ok := n.(*ast.AnchorNode); ok {
		return a.Value
	}
	return n
}
