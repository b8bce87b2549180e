// A wallet on node-pg. It takes DATABASE_URL and PORT; it knows no proxy. Started by: node wallet.js
import http from "node:http";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4, statement_timeout: 30_000 });

async function take(client, id, amount, lock) {
    const { rows } = await client.query(`SELECT balance FROM wallets WHERE id = $1 ${lock}`, [id]);
    if (rows[0].balance < amount) {
        return false;
    }
    await client.query("UPDATE wallets SET balance = $1 WHERE id = $2", [rows[0].balance - amount, id]);
    return true;
}

async function transaction(work) {
    const client = await pool.connect();
    try {
        await client.query("BEGIN");
        const result = await work(client);
        await client.query("COMMIT");
        return result;
    } catch (error) {
        await client.query("ROLLBACK");
        throw error;
    } finally {
        client.release();
    }
}

const how = {
    plain: (id, amount) => transaction((client) => take(client, id, amount, "")),
    lock: (id, amount) => transaction((client) => take(client, id, amount, "FOR UPDATE")),
    async guard(id, amount) {
        const { rows } = await pool.query("SELECT balance FROM wallets WHERE id = $1", [id]);
        if (rows[0].balance < amount) {
            return false;
        }
        const { rowCount } = await pool.query(
            "UPDATE wallets SET balance = balance - $1 WHERE id = $2 AND balance >= $1", [amount, id]);
        return rowCount === 1;
    },
};

const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    try {
        const withdraw = how[url.pathname.replace("/withdraw/", "")];
        const paid = await withdraw(url.searchParams.get("id"), Number(url.searchParams.get("amount")));
        response.writeHead(paid ? 200 : 409).end(paid ? "paid\n" : "refused\n");
    } catch (error) {
        console.error(error);
        response.writeHead(500).end(`${error.message}\n`);
    }
});
server.listen(Number(process.env.PORT), "127.0.0.1");
