package cli

import (
	"context"

	"github.com/google/uuid"
)

type seedCmd struct{}
func (seedCmd) Run(ctx context.Context, p *program) error { return nil }
func (p *program) firstSeed(ctx context.Context, url string) (uuid.UUID, error) { return uuid.Nil, nil }
type importCmd struct{}
func (importCmd) Run() error { return nil }
type debianCmd struct{}
func (debianCmd) Run() error { return nil }
