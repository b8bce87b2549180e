// A wallet on pgx. It takes DATABASE_URL and PORT; it knows no proxy.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const serializationFailure = "40001"

type withdrawal func(ctx context.Context, pool *pgxpool.Pool, id string, amount int) (bool, error)

func take(ctx context.Context, tx pgx.Tx, id string, amount int, lock string) (bool, error) {
	var balance int
	if err := tx.QueryRow(ctx, "SELECT balance FROM wallets WHERE id = $1 "+lock, id).Scan(&balance); err != nil {
		return false, err
	}
	if balance < amount {
		return false, nil
	}
	_, err := tx.Exec(ctx, "UPDATE wallets SET balance = $1 WHERE id = $2", balance-amount, id)
	return err == nil, err
}

func inTransaction(ctx context.Context, pool *pgxpool.Pool, options pgx.TxOptions, id string, amount int,
	lock string) (paid bool, err error) {
	err = pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		paid, err = take(ctx, tx, id, amount, lock)
		return err
	})
	return paid && err == nil, err
}

func plain(ctx context.Context, pool *pgxpool.Pool, id string, amount int) (bool, error) {
	return inTransaction(ctx, pool, pgx.TxOptions{}, id, amount, "")
}

func lock(ctx context.Context, pool *pgxpool.Pool, id string, amount int) (bool, error) {
	return inTransaction(ctx, pool, pgx.TxOptions{}, id, amount, "FOR UPDATE")
}

// The usual loop: an attempt that PostgreSQL refuses is made again.
func serializable(ctx context.Context, pool *pgxpool.Pool, id string, amount int) (bool, error) {
	for {
		paid, err := inTransaction(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, id, amount, "")
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != serializationFailure {
			return paid, err
		}
	}
}

func main() {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	for how, withdraw := range map[string]withdrawal{"plain": plain, "lock": lock, "serializable": serializable} {
		http.HandleFunc("POST /withdraw/"+how, func(response http.ResponseWriter, request *http.Request) {
			amount, err := strconv.Atoi(request.FormValue("amount"))
			if err != nil {
				http.Error(response, err.Error(), http.StatusBadRequest)
				return
			}
			paid, err := withdraw(request.Context(), pool, request.FormValue("id"), amount)
			switch {
			case err != nil:
				log.Print(err)
				http.Error(response, err.Error(), http.StatusInternalServerError)
			case paid:
				_, _ = response.Write([]byte("paid\n"))
			default:
				http.Error(response, "refused", http.StatusConflict)
			}
		})
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
