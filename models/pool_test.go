package models

import (
	"runtime"
	"testing"
)

func TestThePoolOfADatabaseURL(t *testing.T) {
	t.Parallel()
	usual := min(24, max(8, 4*runtime.GOMAXPROCS(0)))
	for _, c := range []struct {
		given, address string
		most           int
		problem        string
	}{
		{given: "postgres://a:b@host/db?sslmode=disable", address: "postgres://a:b@host/db?sslmode=disable", most: usual},
		{given: "postgres://host/db?sslmode=disable&pool_max_conns=40", address: "postgres://host/db?sslmode=disable", most: 40},
		{given: "postgresql:///db?host=/run/postgresql&pool_max_conns=2", address: "postgresql:///db?host=%2Frun%2Fpostgresql", most: 2},
		{given: "postgres://host/db?pool_max_conns=1", problem: "database URL: pool_max_conns=1 is not a number from 2 to 1000"},
		{given: "postgres://host/db?pool_max_conns=many", problem: "database URL: pool_max_conns=many is not a number from 2 to 1000"},
		{given: "mysql://host/db", problem: "database URL: want postgres://user:password@host:port/name"},
	} {
		u, most, err := poolOf(c.given)
		if c.problem != "" {
			if err == nil || err.Error() != c.problem {
				t.Errorf("%s: %v, want %s", c.given, err, c.problem)
			}
			continue
		}
		if err != nil || u.String() != c.address || most != c.most {
			t.Errorf("%s: %v, %d, %v", c.given, u, most, err)
		}
	}
}
