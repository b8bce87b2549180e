// The safe transfer in usual Go: net/http and pgx. DATABASE_URL and PORT name the database and the port.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"
)

type order struct {
	FromAccount string          `json:"from_account"`
	ToAccount   string          `json:"to_account"`
	Amount      decimal.Decimal `json:"amount"`
}

type record struct {
	ID                string          `json:"id"`
	Timestamp         time.Time       `json:"timestamp"`
	FromAccount       string          `json:"from_account"`
	ToAccount         string          `json:"to_account"`
	Amount            decimal.Decimal `json:"amount"`
	FromBalanceBefore decimal.Decimal `json:"from_balance_before"`
	FromBalanceAfter  decimal.Decimal `json:"from_balance_after"`
	ToBalanceBefore   decimal.Decimal `json:"to_balance_before"`
	ToBalanceAfter    decimal.Decimal `json:"to_balance_after"`
	Status            string          `json:"status"`
	DurationMs        float64         `json:"duration_ms"`
}

var errNoAccount = errors.New("no such account")

func balances(ctx context.Context, tx pgx.Tx, o order) (map[string]decimal.Decimal, error) {
	rows, err := tx.Query(ctx, `SELECT id, balance::text FROM accounts WHERE id IN ($1, $2)
		ORDER BY id COLLATE "C" FOR UPDATE`, o.FromAccount, o.ToAccount)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]decimal.Decimal, 2)
	for rows.Next() {
		var id, text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, err
		}
		if found[id], err = decimal.NewFromString(text); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(found) != 2 {
		return nil, errNoAccount
	}
	return found, nil
}

func move(ctx context.Context, tx pgx.Tx, o order, r *record) error {
	var text string
	row := tx.QueryRow(ctx, `UPDATE accounts SET balance = balance - $2::numeric, version = version + 1
		WHERE id = $1 RETURNING balance::text`, o.FromAccount, o.Amount.String())
	if err := row.Scan(&text); err != nil {
		return err
	}
	r.FromBalanceAfter = decimal.RequireFromString(text)
	row = tx.QueryRow(ctx, `UPDATE accounts SET balance = balance + $2::numeric, version = version + 1
		WHERE id = $1 RETURNING balance::text`, o.ToAccount, o.Amount.String())
	if err := row.Scan(&text); err != nil {
		return err
	}
	r.ToBalanceAfter = decimal.RequireFromString(text)
	return nil
}

func transfer(ctx context.Context, pool *pgxpool.Pool, o order) (*record, error) {
	started := time.Now()
	tx, err := pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	found, err := balances(ctx, tx, o)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id)
	r := &record{ID: hex.EncodeToString(id), Timestamp: started.UTC(), FromAccount: o.FromAccount,
		ToAccount: o.ToAccount, Amount: o.Amount, Status: "failed_insufficient_funds",
		FromBalanceBefore: found[o.FromAccount], FromBalanceAfter: found[o.FromAccount],
		ToBalanceBefore: found[o.ToAccount], ToBalanceAfter: found[o.ToAccount]}
	if found[o.FromAccount].GreaterThanOrEqual(o.Amount) {
		r.Status = "success"
		if err := move(ctx, tx, o, r); err != nil {
			return nil, err
		}
	}
	r.DurationMs = float64(time.Since(started).Microseconds()) / 1000
	_, err = tx.Exec(ctx, `INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
		from_balance_before, from_balance_after, to_balance_before, to_balance_after,
		status, thread_id, duration_ms, strategy, race_detected, steps)
		VALUES ($1, $2, $3, $4, $5::numeric, $6::numeric, $7::numeric, $8::numeric, $9::numeric,
		$10, 'go', $11::float8, 'for_update', false, '[]')`,
		r.ID, r.Timestamp, r.FromAccount, r.ToAccount, r.Amount.String(), r.FromBalanceBefore.String(),
		r.FromBalanceAfter.String(), r.ToBalanceBefore.String(), r.ToBalanceAfter.String(), r.Status, r.DurationMs)
	if err != nil {
		return nil, err
	}
	return r, tx.Commit(ctx)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"detail": err.Error()})
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	decimal.MarshalJSONWithoutQuotes = true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /transfer", func(w http.ResponseWriter, request *http.Request) {
		var o order
		if err := json.NewDecoder(request.Body).Decode(&o); err != nil || !o.Amount.IsPositive() {
			refuse(w, http.StatusUnprocessableEntity, errors.New("send from_account, to_account and a positive amount"))
			return
		}
		r, err := transfer(request.Context(), pool, o)
		switch {
		case errors.Is(err, errNoAccount):
			refuse(w, http.StatusNotFound, err)
		case err != nil:
			refuse(w, http.StatusInternalServerError, err)
		default:
			answer(w, http.StatusOK, r)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
