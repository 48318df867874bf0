package resolvers

import (
	"context"
	"strconv"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/message"
	"stackforge/transport"
)

func (r *queryRoot) MessageQueue(ctx context.Context, name string) (*message.Queue, error) {
	return found(r.Messages.GetQueue(ctx, name))
}

func (r *queryRoot) MessageQueues(ctx context.Context, first *int, after *string, last *int, before *string) (model.MessageQueueConnection, error) {
	list, info, err := r.Messages.ListQueues(ctx, query.Page{First: first, After: after, Last: last, Before: before})
	c := model.MessageQueueConnection{Nodes: list, Edges: make([]model.MessageQueueEdge, len(list))}
	for i, q := range list {
		c.Edges[i] = model.MessageQueueEdge{Node: q, Cursor: message.QueueCursor(q)}
	}
	c.PageInfo = pageInfo(info, c.Edges, func(e model.MessageQueueEdge) string { return e.Cursor })
	return c, err
}

func (r *messageQueueConnection) TotalCount(ctx context.Context, _ *model.MessageQueueConnection) (int, error) {
	return r.Messages.CountQueues(ctx)
}

func (r *messageQueue) Metrics(ctx context.Context, obj *message.Queue) (message.Metrics, error) {
	return loadersOf(ctx).messageMetrics().Load(ctx, obj.Name)
}

func (r *mutationRoot) CreateMessageQueue(ctx context.Context, input model.CreateMessageQueueInput) (model.CreateMessageQueuePayload, error) {
	q, err := r.Messages.CreateQueue(ctx, input.Name, input.Kind, input.PartitionInterval.Value(), input.Retention.Value())
	return model.CreateMessageQueuePayload{Queue: q}, err
}

func (r *mutationRoot) DeleteMessageQueue(ctx context.Context, input model.DeleteMessageQueueInput) (model.DeleteMessageQueuePayload, error) {
	q, err := r.Messages.DropQueue(ctx, input.Name)
	return model.DeleteMessageQueuePayload{Name: q.Name}, err
}

func (r *mutationRoot) PurgeMessageQueue(ctx context.Context, input model.PurgeMessageQueueInput) (model.PurgeMessageQueuePayload, error) {
	n, err := r.Messages.PurgeQueue(ctx, input.Name)
	return model.PurgeMessageQueuePayload{Purged: n}, err
}

func (r *mutationRoot) SetMessageQueueRedrive(ctx context.Context, input model.SetMessageQueueRedriveInput) (model.SetMessageQueueRedrivePayload, error) {
	q, err := r.Messages.SetRedrive(ctx, input.Queue, input.MaxReads.Value(), input.DeadLetterQueue.Value())
	return model.SetMessageQueueRedrivePayload{Queue: q}, err
}

func (r *mutationRoot) SendMessage(ctx context.Context, input model.SendMessageInput) (model.SendMessagePayload, error) {
	list, err := r.Messages.Send(ctx, input.Queue, []message.Draft{{
		Payload: input.Payload, Headers: input.Headers.Value(), Delay: input.DelaySeconds.Value(), DeliverAt: input.DeliverAt.Value(),
	}}, false)
	if err != nil {
		return model.SendMessagePayload{}, err
	}
	return model.SendMessagePayload{ID: strconv.FormatInt(list[0].ID, 10)}, nil
}

func (r *mutationRoot) SendMessages(ctx context.Context, input model.SendMessagesInput) (model.SendMessagesPayload, error) {
	drafts := make([]message.Draft, len(input.Messages))
	for i, m := range input.Messages {
		drafts[i] = message.Draft{Payload: m.Payload, Headers: m.Headers.Value(), Delay: m.DelaySeconds.Value(), DeliverAt: m.DeliverAt.Value()}
	}
	list, err := r.Messages.Send(ctx, input.Queue, drafts, input.OnError == model.OnErrorSkip)
	out := model.SendMessagesPayload{Results: make([]model.SendMessageResult, len(list))}
	for i, s := range list {
		out.Results[i].Index = s.Index
		if s.Err != nil {
			e := rowError(s.Err)
			out.Results[i].Error = &e
			continue
		}
		id := strconv.FormatInt(s.ID, 10)
		out.Results[i].ID = &id
		out.Sent++
	}
	return out, err
}

func (r *mutationRoot) ReadMessages(ctx context.Context, input model.ReadMessagesInput) (model.ReadMessagesPayload, error) {
	list, err := r.Messages.Await(ctx, input.Queue, input.VisibilitySeconds, input.Limit, input.WaitSeconds)
	return model.ReadMessagesPayload{Messages: list}, err
}

func (r *mutationRoot) PopMessages(ctx context.Context, input model.PopMessagesInput) (model.PopMessagesPayload, error) {
	list, err := r.Messages.Pop(ctx, input.Queue, input.Limit)
	return model.PopMessagesPayload{Messages: list}, err
}

func (r *mutationRoot) SetMessageVisibility(ctx context.Context, input model.SetMessageVisibilityInput) (model.SetMessageVisibilityPayload, error) {
	refs, err := messageRefs(input.Messages)
	if err != nil {
		return model.SetMessageVisibilityPayload{}, err
	}
	list, err := r.Messages.SetVisibility(ctx, input.Queue, refs, input.VisibilitySeconds)
	return model.SetMessageVisibilityPayload{Messages: list}, err
}

func (r *mutationRoot) ArchiveMessage(ctx context.Context, input model.ArchiveMessageInput) (model.ArchiveMessagePayload, error) {
	ref, err := messageRef("id", input.ID, input.Receipt.Value())
	if err != nil {
		return model.ArchiveMessagePayload{}, err
	}
	ids, err := r.Messages.Archive(ctx, input.Queue, []message.Ref{ref})
	return model.ArchiveMessagePayload{ID: input.ID}, onlyMessage(ids, err)
}

func (r *mutationRoot) ArchiveMessages(ctx context.Context, input model.ArchiveMessagesInput) (model.ArchiveMessagesPayload, error) {
	refs, err := messageRefs(input.Messages)
	if err != nil {
		return model.ArchiveMessagesPayload{}, err
	}
	ids, err := r.Messages.Archive(ctx, input.Queue, refs)
	return model.ArchiveMessagesPayload{Ids: messageIDs(ids)}, err
}

func (r *mutationRoot) DeleteMessage(ctx context.Context, input model.DeleteMessageInput) (model.DeleteMessagePayload, error) {
	ref, err := messageRef("id", input.ID, input.Receipt.Value())
	if err != nil {
		return model.DeleteMessagePayload{}, err
	}
	ids, err := r.Messages.Delete(ctx, input.Queue, []message.Ref{ref})
	return model.DeleteMessagePayload{ID: input.ID}, onlyMessage(ids, err)
}

func (r *mutationRoot) DeleteMessages(ctx context.Context, input model.DeleteMessagesInput) (model.DeleteMessagesPayload, error) {
	refs, err := messageRefs(input.Messages)
	if err != nil {
		return model.DeleteMessagesPayload{}, err
	}
	ids, err := r.Messages.Delete(ctx, input.Queue, refs)
	return model.DeleteMessagesPayload{Ids: messageIDs(ids)}, err
}

func (r *subscriptionRoot) Messages(ctx context.Context, queue string, visibilitySeconds, prefetch int) (<-chan message.Message, error) {
	in, reason, err := r.Deps.Messages.Consume(ctx, queue, visibilitySeconds, prefetch)
	if err != nil {
		return nil, err
	}
	out := make(chan message.Message)
	go func() {
		defer close(out)
		for m := range in {
			select {
			case out <- m:
			case <-ctx.Done():
			}
		}
		if err := reason(); err != nil {
			transport.Fail(ctx, err)
		}
	}()
	return out, nil
}

func messageRefs(list []model.MessageRef) ([]message.Ref, error) {
	out := make([]message.Ref, len(list))
	for i, m := range list {
		var err error
		if out[i], err = messageRef("messages["+strconv.Itoa(i)+"].id", m.ID, m.Receipt.Value()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func messageRef(field, id string, receipt *string) (message.Ref, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return message.Ref{}, errs.Field(field, "This is not the number of a message.")
	}
	return message.Ref{ID: n, Receipt: or(receipt, "")}, nil
}

func messageIDs(ids []int64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatInt(id, 10)
	}
	return out
}

// onlyMessage is NotFound when the one message of a call was not there.
func onlyMessage(ids []int64, err error) error {
	if err == nil && len(ids) == 0 {
		return errs.New(errs.NotFound, "There is no such message, or somebody else has read it since.")
	}
	return err
}
