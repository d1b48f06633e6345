package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// workload is the shop's business: sessions that order, change and delete.
type workload struct {
	url  string
	tell func(format string, args ...any)

	done, failed atomic.Int64
	extra        atomic.Pointer[string] // a table that was created meanwhile, quoted

	customers, orders atomic.Int64 // about the highest ids
	ended             atomic.Bool
	cancel            context.CancelFunc
	sessions          sync.WaitGroup
}

const (
	clerks = 4
	// bigEvery is the pause between two of the bigger transactions.
	bigEvery = 4 * time.Second
	// transactionPatience bounds what a transaction that is under way may take when the workload ends.
	transactionPatience = 30 * time.Second
)

func newWorkload(url string, tell func(string, ...any)) *workload {
	return &workload{url: url, tell: tell, cancel: func() {}}
}

// start opens the shop, until stop.
func (w *workload) start(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return fmt.Errorf("start the workload: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var customers, orders int64
	if err := conn.QueryRow(ctx, `select (select coalesce(max(id), 1) from shop.customer), (select coalesce(max(id), 1) from shop.orders)`).Scan(&customers, &orders); err != nil {
		return fmt.Errorf("start the workload: %w", err)
	}
	w.customers.Store(customers)
	w.orders.Store(orders)
	ctx, w.cancel = context.WithCancel(ctx)
	for range clerks {
		w.sessions.Go(func() {
			w.session(ctx, func() time.Duration { return time.Duration(4+rand.IntN(22)) * time.Millisecond }, w.choose)
		})
	}
	w.sessions.Go(func() { w.session(ctx, func() time.Duration { return bigEvery }, func() action { return w.sale }) })
	w.tell("the shop is open: %d sessions order, change and delete, and one makes bigger transactions", clerks)
	return nil
}

// stop ends the workload. What is under way is committed first. It may be called again.
func (w *workload) stop() {
	w.ended.Store(true)
	w.cancel()
	w.sessions.Wait()
}

// action is one transaction's work.
type action func(ctx context.Context, tx pgx.Tx) error

// session makes one transaction after the other, with pauses, until ctx ends.
func (w *workload) session(ctx context.Context, pause func() time.Duration, choose func() action) {
	var conn *pgx.Conn
	working := context.WithoutCancel(ctx)
	defer func() {
		if conn != nil {
			conn.Close(working)
		}
	}()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause()):
		}
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(working, transactionPatience)
			defer cancel()
			if conn == nil || conn.IsClosed() {
				if conn, err = pgx.Connect(ctx, w.url); err != nil {
					return err
				}
			}
			do := choose()
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return do(ctx, tx) })
		}()
		if err == nil {
			w.done.Add(1)
			continue
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == "40P01" || pg.Code == "40001") {
			continue // two sessions stood in each other's way, which is their own affair; the next attempt
		}
		w.failed.Add(1)
		if text := err.Error(); text != told {
			w.tell("a transaction of the workload failed: %v", err)
			told = text
		}
	}
}

// choose picks what the next customer wants.
func (w *workload) choose() action {
	n := rand.IntN(100)
	for _, a := range []struct {
		percent int
		do      action
	}{
		{20, w.advance}, {8, w.register}, {9, w.prefer}, {6, w.takeBack}, {4, w.forget}, {2, w.rename}, {6, w.review},
	} {
		if n -= a.percent; n < 0 {
			return a.do
		}
	}
	return w.order
}

func randomSKU() string { return fmt.Sprintf("P%04d", 1+rand.IntN(1000)) }

func (w *workload) anyCustomer() int64 { return 1 + rand.Int64N(w.customers.Load()) }
func (w *workload) anyOrder() int64    { return 1 + rand.Int64N(w.orders.Load()) }

// order is a new order of a few products, which leave the stock.
func (w *workload) order(ctx context.Context, tx pgx.Tx) error {
	var id int64
	if err := tx.QueryRow(ctx, `
		insert into shop.orders (customer_id)
		select id from shop.customer where id >= $1 order by id limit 1
		returning id`, w.anyCustomer()).Scan(&id); err != nil {
		return err
	}
	skus := make([]string, 1+rand.IntN(4))
	for i := range skus {
		skus[i] = randomSKU()
	}
	slices.Sort(skus) // all sessions lock products in this order
	for line, sku := range skus {
		_, err := tx.Exec(ctx, `
			with taken as (
				update shop.product
				set stock = stock - $3
				where sku = (select sku from shop.product where sku >= $4 order by sku limit 1)
				returning sku, price)
			insert into shop.order_item (order_id, line, sku, quantity, price)
			select $1, $2, sku, $3, price
			from taken`, id, line+1, 1+rand.IntN(5), sku)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `insert into shop.event (kind, detail) values ('order', jsonb_build_object('order', $1::bigint))`, id)
	if err == nil {
		w.orders.Store(id)
	}
	return err
}

// advance moves an order on to its next state.
func (w *workload) advance(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		update shop.orders
		set state = case state when 'new' then 'paid' when 'paid' then 'packed' else 'shipped' end::shop.order_state
		where id = (select id from shop.orders where id >= $1 order by id limit 1)`, w.anyOrder())
	return err
}

// register is a new customer.
func (w *workload) register(ctx context.Context, tx pgx.Tx) error {
	var id int64
	err := tx.QueryRow(ctx, `
		insert into shop.customer (email, name, profile)
		values (gen_random_uuid() || '@example.org', $1, jsonb_build_object('since', current_date, 'language', 'fr'))
		returning id`, fmt.Sprintf("New customer %d", rand.IntN(1_000_000))).Scan(&id)
	if err == nil {
		w.customers.Store(id)
	}
	return err
}

// prefer changes a part of a customer's document.
func (w *workload) prefer(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		update shop.customer
		set profile = jsonb_set(profile, '{favourite}', to_jsonb($2::text))
		where id = (select id from shop.customer where id >= $1 order by id limit 1)`, w.anyCustomer(), randomSKU())
	return err
}

// takeBack deletes an order; its items go with it.
func (w *workload) takeBack(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		delete from shop.orders
		where id = (select id from shop.orders where id >= $1 order by id limit 1)`, w.anyOrder())
	return err
}

// forget deletes the oldest events, of the table without a key.
func (w *workload) forget(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		delete from shop.event
		where ctid = any (array(select ctid from shop.event order by at limit 5 for update skip locked))`)
	return err
}

// rename changes a product's key; the items of its orders follow.
func (w *workload) rename(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		update shop.product
		set sku = split_part(sku, '-', 1) || '-' || split_part(sku, '-', 2)::integer + 1
		where sku = (select sku from shop.product where sku >= $1 order by sku limit 1)`, randomSKU())
	return err
}

// review writes into the table that was created meanwhile; before, it sells.
func (w *workload) review(ctx context.Context, tx pgx.Tx) error {
	table := w.extra.Load()
	if table == nil {
		return w.order(ctx, tx)
	}
	_, err := tx.Exec(ctx, `insert into `+*table+` (customer_id, stars, text)
		select id, $2, 'It does what it should.' from shop.customer where id >= $1 order by id limit 1`, w.anyCustomer(), 1+rand.IntN(5))
	return err
}

// sale is a bigger transaction: it changes the prices of an aisle, fills its shelves and writes about every customer.
func (w *workload) sale(ctx context.Context, tx pgx.Tx) error {
	aisle := fmt.Sprintf("aisle-%d", rand.IntN(12))
	_, err := tx.Exec(ctx, `
		with aisle as (select sku from shop.product where $1 = any (tags) order by sku for update)
		update shop.product p
		set price = round(p.price * $2::numeric, 2), stock = 10000
		from aisle a
		where p.sku = a.sku`, aisle, 0.9+rand.Float64()*0.2)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into shop.event (kind, detail)
		select 'sale', jsonb_build_object('aisle', $1::text, 'customer', id)
		from shop.customer
		limit 2000`, aisle)
	return err
}
