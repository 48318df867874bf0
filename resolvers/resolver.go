// Package resolvers is the GraphQL door: it reads arguments, makes one call and shapes the answer. It holds no rule.
package resolvers

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/graph"
	"stackforge/repo/apikey"
	"stackforge/repo/capability"
	"stackforge/repo/dashboard"
	"stackforge/repo/document"
	"stackforge/repo/file"
	"stackforge/repo/idempotency"
	"stackforge/repo/job"
	"stackforge/repo/operator"
	"stackforge/repo/pggraphql"
	"stackforge/repo/searchsettings"
	"stackforge/repo/tenancy"
	"stackforge/repo/user"
	"stackforge/tenant"
	"stackforge/transport"
	"stackforge/webhook"
)

// Deps is what the resolvers call.
type Deps struct {
	Capabilities   *capability.Repo
	Dashboard      *dashboard.Repo
	Documents      *document.Repo
	FileRecords    *file.Repo
	Files          *app.Files
	Idempotency    *idempotency.Repo
	Jobs           *job.Repo
	Keys           *apikey.Repo
	Messages       *app.Messages
	Operator       *operator.Repo
	Payloads       *app.Payloads
	PgGraphQL      *pggraphql.Repo
	Search         *app.Searcher
	SearchSettings *searchsettings.Repo
	Similar        *app.Embedder
	Tenants        *tenancy.Repo
	Users          *user.Repo
	Webhooks       *webhook.Endpoints

	// RefreshStats brings the statistics of documents up to date; calls at the same time share the work.
	RefreshStats func(ctx context.Context) error
	// SearchLatency tells how long the searches of the caller's tenant took in this process; nil when it has seen none.
	SearchLatency func(ctx context.Context) (*dashboard.Latency, error)
	// Updates subscribes to the changes of jobs.
	Updates JobUpdates
	// Nudge tells workers and subscribers that there is something new on a channel, once what was done with ctx is committed.
	Nudge func(ctx context.Context, channel string)
	// IssueToken makes a token from the caller's API key.
	IssueToken func(ctx context.Context, s tenant.Scope) (token string, lifetime time.Duration, err error)
	// Forget makes this process look a key up again at its next use.
	Forget func(keyID uuid.UUID)
	// Left tells how many requests the caller's key may still make until the window ends; limited is false when nothing counts
	// them.
	Left func(s tenant.Scope) (limit, remaining int, reset time.Duration, limited bool)
}

// Resolver is the root of the resolvers.
type Resolver struct {
	Deps

	pg *transport.Handler // of the field pgGraphql
}

var _ graph.ResolverRoot = (*Resolver)(nil)

type (
	queryRoot                 struct{ *Resolver }
	mutationRoot              struct{ *Resolver }
	subscriptionRoot          struct{ *Resolver }
	apiKeyConnection          struct{ *Resolver }
	dashboardFields           struct{ *Resolver }
	documentConnection        struct{ *Resolver }
	searchConnection          struct{ *Resolver }
	searchHit                 struct{ *Resolver }
	searchSettings            struct{ *Resolver }
	searchSynonymsConnection  struct{ *Resolver }
	jobConnection             struct{ *Resolver }
	jobUpdate                 struct{ *Resolver }
	messageQueue              struct{ *Resolver }
	messageQueueConnection    struct{ *Resolver }
	tenantFields              struct{ *Resolver }
	userConnection            struct{ *Resolver }
	webhookDelivery           struct{ *Resolver }
	webhookDeliveryConnection struct{ *Resolver }
	webhookEndpointConnection struct{ *Resolver }
)

// Query returns the resolvers of queries.
func (r *Resolver) Query() graph.QueryResolver { return &queryRoot{r} }

// Mutation returns the resolvers of mutations.
func (r *Resolver) Mutation() graph.MutationResolver { return &mutationRoot{r} }

// Subscription returns the resolvers of subscriptions.
func (r *Resolver) Subscription() graph.SubscriptionResolver { return &subscriptionRoot{r} }

// Dashboard returns the resolvers of the dashboard, each of which reads on its own.
func (r *Resolver) Dashboard() graph.DashboardResolver { return &dashboardFields{r} }

// ApiKeyConnection returns the resolvers of what a page of API keys computes on demand.
func (r *Resolver) ApiKeyConnection() graph.ApiKeyConnectionResolver { //nolint:revive // the generated interface asks for it
	return &apiKeyConnection{r}
}

// DocumentConnection returns the resolvers of what a page of documents computes on demand.
func (r *Resolver) DocumentConnection() graph.DocumentConnectionResolver {
	return &documentConnection{r}
}

// SearchConnection returns the resolvers of what a page of hits computes on demand.
func (r *Resolver) SearchConnection() graph.SearchConnectionResolver { return &searchConnection{r} }

// SearchHit returns the resolvers of what a hit computes on demand.
func (r *Resolver) SearchHit() graph.SearchHitResolver { return &searchHit{r} }

// SearchSettings returns the resolvers of what the settings compute on demand.
func (r *Resolver) SearchSettings() graph.SearchSettingsResolver { return &searchSettings{r} }

// SearchSynonymsConnection returns the resolvers of what a page of synonyms computes on demand.
func (r *Resolver) SearchSynonymsConnection() graph.SearchSynonymsConnectionResolver {
	return &searchSynonymsConnection{r}
}

// JobConnection returns the resolvers of what a page of jobs computes on demand.
func (r *Resolver) JobConnection() graph.JobConnectionResolver { return &jobConnection{r} }

// JobUpdate returns the resolvers of an update's relations.
func (r *Resolver) JobUpdate() graph.JobUpdateResolver { return &jobUpdate{r} }

// MessageQueue returns the resolvers of what a queue computes on demand.
func (r *Resolver) MessageQueue() graph.MessageQueueResolver { return &messageQueue{r} }

// MessageQueueConnection returns the resolvers of what a page of queues computes on demand.
func (r *Resolver) MessageQueueConnection() graph.MessageQueueConnectionResolver {
	return &messageQueueConnection{r}
}

// Tenant returns the resolvers of what a tenant has and may have.
func (r *Resolver) Tenant() graph.TenantResolver { return &tenantFields{r} }

// UserConnection returns the resolvers of what a page of users computes on demand.
func (r *Resolver) UserConnection() graph.UserConnectionResolver { return &userConnection{r} }

// WebhookDelivery returns the resolvers of a delivery's relations.
func (r *Resolver) WebhookDelivery() graph.WebhookDeliveryResolver { return &webhookDelivery{r} }

// WebhookDeliveryConnection returns the resolvers of what a page of deliveries computes on demand.
func (r *Resolver) WebhookDeliveryConnection() graph.WebhookDeliveryConnectionResolver {
	return &webhookDeliveryConnection{r}
}

// WebhookEndpointConnection returns the resolvers of what a page of endpoints computes on demand.
func (r *Resolver) WebhookEndpointConnection() graph.WebhookEndpointConnectionResolver {
	return &webhookEndpointConnection{r}
}
