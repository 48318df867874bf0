// Command gen writes .env.example and docs/configuration.md from package config. Its argument is the folder of the
// repository.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"stackforge/config" //nolint:depguard // it writes down what the package holds
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root string) error {
	files := map[string]func(io.Writer) error{
		".env.example":          config.WriteEnvExample,
		"docs/configuration.md": config.WriteMarkdown,
	}
	for name, write := range files {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of documents is public
			return err
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // documents are public
			return err
		}
	}
	return nil
}
