package loadtest

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// authStep asks for a token now and then, uses one, and tries what must be refused.
func authStep(ctx context.Context, u *user) error {
	switch n := u.rng.IntN(100); {
	case n < 25 || len(u.tokens) == 0:
		return u.token(ctx)
	case n < 60: // a token that is there
		return u.probe(ctx, "with a token", map[string]string{"Authorization": "Bearer " + u.tokens[u.rng.IntN(len(u.tokens))]}, http.StatusOK)
	case n < 65:
		return u.probe(ctx, "with a key as token", map[string]string{"Authorization": "Bearer " + u.world.opt.Key}, http.StatusOK)
	case n < 70:
		return u.probe(ctx, "with key and token", map[string]string{"Authorization": "Bearer " + u.tokens[0], "X-Api-Key": u.world.opt.Key}, http.StatusOK)
	case n < 80:
		return u.probe(ctx, "without credentials", map[string]string{}, http.StatusUnauthorized)
	default:
		bad := u.forged()
		return u.probe(ctx, "with bad credentials", bad[u.rng.IntN(len(bad))], http.StatusUnauthorized)
	}
}

// mostTokens a user keeps; an old one goes for a new one.
const mostTokens = 5

func (u *user) token(ctx context.Context) error {
	a, err := u.do(ctx, call{
		name: "issue token", method: http.MethodPost, path: "/auth/token", want: []int{http.StatusOK},
		query: `mutation { issueToken { token expiresIn } }`,
	})
	if err != nil {
		return err
	}
	token, err := u.text(a, "token", "issueToken.token")
	if err != nil {
		return err
	}
	if strings.Count(token, ".") != 2 {
		return errors.New("issue token: it has not three parts")
	}
	u.tokens = append(u.tokens, token)
	if len(u.tokens) > mostTokens {
		u.tokens = u.tokens[1:]
	}
	return nil
}

func (u *user) probe(ctx context.Context, name string, headers map[string]string, want int) error {
	_, err := u.do(ctx, call{name: "request " + name, method: http.MethodGet, path: "/jobs?limit=1", query: `{ jobs(first: 1) { id } }`, headers: headers, want: []int{want}})
	return err
}

// forged are credentials that look more or less like real ones.
func (u *user) forged() []map[string]string {
	t := u.tokens[0]
	parts := strings.Split(t, ".")
	key := func(k string) map[string]string { return map[string]string{"X-Api-Key": k} }
	bearer := func(v string) map[string]string { return map[string]string{"Authorization": "Bearer " + v} }
	return []map[string]string{
		key("sk_live_" + strings.Repeat("0", 43)), key("' OR '1'='1"), key(strings.Repeat("x", 4096)), key("nonsense"),
		bearer(parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))), bearer(parts[0] + "." + parts[1] + "."),
		bearer("eyJhbGciOiJub25lIn0." + parts[1] + "."), bearer("a.b.c"), bearer(t + "x"),
		{"Authorization": "Basic dXNlcjpwYXNz"},
	}
}

// mixedStep is an application: the weights are those of the documented test; what they leave goes to deletes, messages and files.
func mixedStep(ctx context.Context, u *user) error {
	return pick(u,
		weighted[func(context.Context, *user) error]{35, searchStep},
		weighted[func(context.Context, *user) error]{15, func(ctx context.Context, u *user) error {
			if len(u.documents) == 0 {
				return u.create(ctx, 5000)
			}
			return u.read(ctx, u.documents[u.rng.IntN(len(u.documents))], http.StatusOK)
		}},
		weighted[func(context.Context, *user) error]{12, func(ctx context.Context, u *user) error { return u.create(ctx, 5000) }},
		weighted[func(context.Context, *user) error]{8, func(ctx context.Context, u *user) error {
			if len(u.documents) == 0 {
				return u.create(ctx, 5000)
			}
			return u.update(ctx, u.documents[u.rng.IntN(len(u.documents))])
		}},
		weighted[func(context.Context, *user) error]{10, func(ctx context.Context, u *user) error { return u.listJobs(ctx, "pending", 0) }},
		weighted[func(context.Context, *user) error]{5, func(ctx context.Context, u *user) error {
			_, err := u.enqueue(ctx, u.newJob())
			return err
		}},
		weighted[func(context.Context, *user) error]{5, dashboardStep},
		weighted[func(context.Context, *user) error]{5, func(ctx context.Context, u *user) error { return u.delete(ctx) }},
		weighted[func(context.Context, *user) error]{5, messageStep},
	)(ctx, u)
}
