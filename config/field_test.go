package config

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFields(t *testing.T) {
	t.Parallel()

	require.Equal(t, "APP_ENV", fields(&Config{})[0].name, "it decides about the defaults of those after it")
	seen := map[string]bool{}
	for _, f := range fields(&Config{}) {
		require.False(t, seen[f.name], "%s is declared twice", f.name)
		seen[f.name] = true
		require.NotEmpty(t, f.tag.Get("help"), f.name)
		require.NotEmpty(t, f.tag.Get("default")+f.tag.Get("shown"), "%s has no default", f.name)
		if f.number() {
			require.NotEmpty(t, f.tag.Get("min"), f.name)
			require.NotEmpty(t, f.tag.Get("max"), f.name)
		}
		if f.value.Type() == reflect.TypeFor[time.Duration]() {
			require.NotZero(t, f.unit(), f.name)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()

	require.Zero(t, distance("PORT", "PORT"))
	require.Equal(t, 1, distance("PORT", "PORTS"))
	require.Equal(t, 3, distance("kitten", "sitting"))
	require.Equal(t, 4, distance("", "PORT"))
}
