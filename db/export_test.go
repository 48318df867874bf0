package db

import "github.com/jackc/pgx/v5/pgxpool"

// Pool lets tests look at a connection between two transactions.
func Pool(d *DB) *pgxpool.Pool { return d.pool }
