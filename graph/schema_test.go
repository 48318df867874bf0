package graph_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/errs"
	"stackforge/graph"
)

func parsed() *ast.Schema { return graph.NewExecutableSchema(graph.Config{}).Schema() }

// ours are the types that the schema's files define, by name.
func ours(s *ast.Schema) []*ast.Definition {
	var out []*ast.Definition
	for name, def := range s.Types {
		if !def.BuiltIn && !strings.HasPrefix(name, "__") {
			out = append(out, def)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// The playground is the manual, so nothing in it may be without a word.
func TestEverythingHasADescription(t *testing.T) {
	t.Parallel()

	var missing []string
	check := func(name, description string) {
		if len(strings.TrimSpace(description)) < 3 {
			missing = append(missing, name)
		}
	}
	s := parsed()
	types := ours(s)
	require.Greater(t, len(types), 60)
	for _, def := range types {
		check(def.Name, def.Description)
		for _, v := range def.EnumValues {
			check(def.Name+"."+v.Name, v.Description)
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(def.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				check(fmt.Sprintf("%s.%s(%s:)", def.Name, f.Name, a.Name), a.Description)
			}
		}
	}
	for name, d := range s.Directives {
		if d.Position == nil || d.Position.Src.BuiltIn {
			continue
		}
		check("@"+name, d.Description)
		for _, a := range d.Arguments {
			check("@"+name+"("+a.Name+":)", a.Description)
		}
	}
	require.Empty(t, missing)
}

func TestErrorCodesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()

	var got, want []string
	for _, v := range parsed().Types["ErrorCode"].EnumValues {
		got = append(got, v.Name)
	}
	for _, r := range errs.Table() {
		want = append(want, string(r.Code))
	}
	require.ElementsMatch(t, want, got)
}

// What a caller may reach without a permission is a short list, and each of it has a reason.
func TestRootFieldsNeedAPermission(t *testing.T) {
	t.Parallel()

	open := map[string]string{
		"viewer":       "tells callers about themselves",
		"capabilities": "tells of the server, not of a tenant",
		"node":         "checks the permission of the kind it finds",
		"nodes":        "checks the permission of each kind it finds",
		"pgGraphql":    "checks the permission of each collection it reads",
		"issueToken":   "gives the caller's own permissions and no more",
	}
	s := parsed()
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			auth := f.Directives.ForName("auth")
			if _, ok := open[f.Name]; ok {
				require.Nil(t, auth, "%s is on the list but has @auth", f.Name)
				delete(open, f.Name)
				continue
			}
			require.NotNil(t, auth, "%s.%s lacks @auth", root.Name, f.Name)
			scope := auth.Arguments.ForName("scope").Value.Raw
			require.Regexp(t, `^[a-z]+:(read|write|decrypt|consume|export)$`, scope)
			// A push consumer takes messages away, as the mutation that reads them does.
			require.Equal(t, root == s.Mutation || f.Name == "messages", !strings.HasSuffix(scope, ":read"), "%s needs %s", f.Name, scope)
		}
	}
	require.Empty(t, open, "no such root fields")
}

// Nothing below a root may ask for a permission of its own without being checked: directives sit on roots, and on the two
// fields of a tenant that have resolvers of their own, because viewer, which needs no permission, leads to it.
func TestPermissionsSitOnRoots(t *testing.T) {
	t.Parallel()

	s := parsed()
	for _, def := range ours(s) {
		if def == s.Query || def == s.Mutation || def == s.Subscription {
			continue
		}
		for _, f := range def.Fields {
			if def.Name == "Tenant" && (f.Name == "usage" || f.Name == "limits") {
				require.NotNil(t, f.Directives.ForName("auth"), f.Name)
				continue
			}
			require.Nil(t, f.Directives.ForName("auth"), "%s.%s", def.Name, f.Name)
		}
	}
}

// Clients page through every list that can grow.
func TestConnectionsAreComplete(t *testing.T) {
	t.Parallel()

	for _, def := range ours(parsed()) {
		if !strings.HasSuffix(def.Name, "Connection") {
			continue
		}
		var names []string
		for _, f := range def.Fields {
			names = append(names, f.Name+": "+f.Type.String())
		}
		noun := strings.TrimSuffix(def.Name, "Connection")
		node := noun
		if noun == "Search" {
			node = "SearchHit"
		}
		require.Equal(t, []string{
			"edges: [" + noun + "Edge!]!", "nodes: [" + node + "!]!", "pageInfo: PageInfo!", "totalCount: Int!",
		}, names[:min(len(names), 4)], def.Name)
		require.True(t, len(names) == 4 || noun == "Search", def.Name)
	}
}
