package org.arborlog;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;

/**
 * An outbox in tables of an SQLite database, beside the platform's own, by JDBC: a statement is put there in the platform's own transaction. The
 * driver is yours; the database must sync its writes (PRAGMA synchronous is FULL unless you changed it).
 */
public final class JdbcBox implements Store {
    private static final String[] SCHEMA = {
        "CREATE TABLE IF NOT EXISTS arborlog_statement (id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT UNIQUE, statement BLOB NOT NULL, "
            + "state TEXT NOT NULL DEFAULT 'waiting', entry INTEGER, code TEXT, detail TEXT, replaces INTEGER)",
        "CREATE INDEX IF NOT EXISTS arborlog_waiting ON arborlog_statement (id) WHERE state = 'waiting'",
        "CREATE INDEX IF NOT EXISTS arborlog_replaces ON arborlog_statement (replaces) WHERE replaces IS NOT NULL",
        "CREATE TABLE IF NOT EXISTS arborlog_attempt (number INTEGER PRIMARY KEY AUTOINCREMENT, issuer BLOB NOT NULL, seq INTEGER NOT NULL, "
            + "record_id BLOB NOT NULL, issued_on INTEGER NOT NULL, path TEXT NOT NULL, media_type TEXT NOT NULL, body BLOB NOT NULL, "
            + "statements BLOB NOT NULL, replaced INTEGER NOT NULL DEFAULT 0)",
        "CREATE TABLE IF NOT EXISTS arborlog_head (issuer BLOB PRIMARY KEY, seq INTEGER NOT NULL, prev BLOB NOT NULL, issued_on INTEGER NOT NULL, "
            + "checkpoint TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS arborlog_lock (name TEXT PRIMARY KEY, taken INTEGER NOT NULL)",
        "INSERT OR IGNORE INTO arborlog_lock VALUES ('outbox', 0)"};

    private final Connections connections;

    /** Where connections come from: a pool, or DriverManager. */
    @FunctionalInterface
    public interface Connections {
        /** A connection, which the box closes. */
        Connection open() throws SQLException;
    }

    /** What became of a statement: waiting, in (with its entry's index) or refused (with code and detail). */
    public record State(String state, long entry, String code, String detail) {}

    /** Makes the tables if they are not there. */
    public JdbcBox(Connections connections) {
        this.connections = connections;
        try (Connection connection = connections.open()) {
            for (String table : SCHEMA) {
                run(connection, table);
            }
        } catch (SQLException failed) {
            throw new StoreException(failed);
        }
    }

    /**
     * Puts a statement into the outbox, in the platform's own transaction on this connection: it is sent if that commits. The reference is your name for it,
     * and makes it one: what is put twice under a reference is there once, and another statement under it is refused, unless the ledger refused the
     * first one. An award with a null reference has its evidence for one, since that names its event, and so has one that recover found in the log; any
     * other statement has none then. It gives the statement's number.
     */
    public long put(Connection connection, String reference, Statement statement) throws SQLException {
        byte[] bytes = statement.encode();
        String event = nameOf(statement);
        String name = reference == null ? event : reference;
        Long replaces = null;
        if (name != null) {
            try (PreparedStatement known = prepare(connection, "SELECT id, statement, state, coalesce(code, '') FROM arborlog_statement "
                     + "WHERE reference = ? OR reference = ? ORDER BY reference = ? DESC", name, event, name);
                 ResultSet row = known.executeQuery()) {
                if (row.next()) {
                    if (java.util.Arrays.equals(row.getBytes(2), bytes)) {
                        return row.getLong(1);
                    }
                    if (!row.getString(3).equals("refused") || row.getString(4).equals(EVENT_IS_IN)) {
                        throw new ArborlogException("wrong_use", name, "another statement was put under this reference");
                    }
                    replaces = row.getLong(1);
                }
            }
            if (replaces != null) {
                // The corrected one takes the name. The refused one keeps its row, for its bytes may be on their way still.
                run(connection, "UPDATE arborlog_statement SET reference = NULL WHERE id = ?", replaces);
            }
        }
        run(connection, "INSERT INTO arborlog_statement (reference, statement, replaces) VALUES (?, ?, ?)", name, bytes, replaces);
        try (PreparedStatement last = prepare(connection, "SELECT last_insert_rowid()"); ResultSet row = last.executeQuery()) {
            return row.next() ? row.getLong(1) : 0;
        }
    }

    /** What an award without a reference is known by. */
    private static String nameOf(Statement statement) {
        return statement instanceof Statement.Award award ? "award/" + award.evidence() : null;
    }

    /** Looks a statement up. */
    public State state(long statement) {
        try (Connection connection = connections.open();
             PreparedStatement query = prepare(connection, "SELECT state, entry, code, detail FROM arborlog_statement WHERE id = ?", statement);
             ResultSet row = query.executeQuery()) {
            return row.next() ? new State(row.getString(1), row.getLong(2), row.getString(3), row.getString(4)) : null;
        } catch (SQLException failed) {
            throw new StoreException(failed);
        }
    }

    /** Lets a refused statement wait again, when what it was refused for is mended. One that was corrected, or whose event is in, stays refused. */
    public void requeue(long statement) {
        try (Connection connection = connections.open()) {
            run(connection, "UPDATE arborlog_statement SET state = 'waiting', code = NULL, detail = NULL WHERE id = ? AND state = 'refused' "
                + "AND code != ? AND id NOT IN (SELECT replaces FROM arborlog_statement WHERE replaces IS NOT NULL)", statement, EVENT_IS_IN);
        } catch (SQLException failed) {
            throw new StoreException(failed);
        }
    }

    private static PreparedStatement prepare(Connection connection, String sql, Object... values) throws SQLException {
        PreparedStatement prepared = connection.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) {
            if (values[i] == null) {
                prepared.setNull(i + 1, Types.VARCHAR);
            } else if (values[i] instanceof byte[] bytes) {
                prepared.setBytes(i + 1, bytes);
            } else if (values[i] instanceof Long number) {
                prepared.setLong(i + 1, number);
            } else {
                prepared.setString(i + 1, (String) values[i]);
            }
        }
        return prepared;
    }

    private static void run(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement prepared = prepare(connection, sql, values)) {
            prepared.executeUpdate();
        }
    }

    /** The transaction begins with a write, so that no other one is beside it. */
    @Override
    public <T> T inTransaction(Work<T> work) {
        try (Connection connection = connections.open()) {
            connection.setAutoCommit(false);
            try {
                run(connection, "UPDATE arborlog_lock SET taken = taken + 1");
                T result = work.in(new BoxTx(connection));
                connection.commit();
                return result;
            } catch (SQLException | RuntimeException failed) {
                connection.rollback();
                throw failed;
            }
        } catch (SQLException failed) {
            throw new StoreException(failed);
        }
    }

    private record BoxTx(Connection connection) implements Tx {
        private interface Rows<T> {
            T read(ResultSet rows) throws SQLException;
        }

        private <T> T query(Rows<T> read, String sql, Object... values) {
            try (PreparedStatement query = prepare(connection, sql, values); ResultSet rows = query.executeQuery()) {
                return read.read(rows);
            } catch (SQLException failed) {
                throw new StoreException(failed);
            }
        }

        private void write(String sql, Object... values) {
            try {
                run(connection, sql, values);
            } catch (SQLException failed) {
                throw new StoreException(failed);
            }
        }

        @Override
        public Head head(Bytes32 issuer) {
            return query(row -> row.next() ? new Head(new Chain(row.getLong(1), Bytes32.of(row.getBytes(2)), new Day(row.getLong(3))), row.getString(4)) : null,
                "SELECT seq, prev, issued_on, checkpoint FROM arborlog_head WHERE issuer = ?", issuer.bytes());
        }

        @Override
        public void setHead(Bytes32 issuer, Head head) {
            write("INSERT OR REPLACE INTO arborlog_head VALUES (?, ?, ?, ?, ?)", issuer.bytes(), head.chain().seq(), head.chain().prev().bytes(),
                head.chain().issuedOn().days(), head.checkpoint());
        }

        @Override
        public List<Queued> waiting(int most) {
            return queued("SELECT id, statement FROM arborlog_statement WHERE state = 'waiting' ORDER BY id LIMIT ?", (long) most);
        }

        @Override
        public List<Queued> unsettled() {
            return queued("SELECT id, statement FROM arborlog_statement WHERE state != 'in' ORDER BY id");
        }

        private List<Queued> queued(String sql, Object... values) {
            return query(rows -> {
                List<Queued> found = new ArrayList<>();
                while (rows.next()) {
                    found.add(new Queued(rows.getLong(1), rows.getBytes(2)));
                }
                return found;
            }, sql, values);
        }

        @Override
        public List<Attempt> attempts() {
            return query(rows -> {
                List<Attempt> attempts = new ArrayList<>();
                while (rows.next()) {
                    SignedBody body = new SignedBody(rows.getString(6), rows.getString(7), rows.getBytes(8), Bytes32.of(rows.getBytes(4)), rows.getLong(3),
                        new Day(rows.getLong(5)));
                    List<Long> statements = new ArrayList<>();
                    for (Reader in = new Reader(rows.getBytes(9)); in.left() > 0;) {
                        statements.add(in.uint(8));
                    }
                    attempts.add(new Attempt(rows.getLong(1), Bytes32.of(rows.getBytes(2)), body, statements, rows.getLong(10) == 1));
                }
                return attempts;
            }, "SELECT number, issuer, seq, record_id, issued_on, path, media_type, body, statements, replaced FROM arborlog_attempt ORDER BY number");
        }

        @Override
        public void addAttempt(Attempt attempt) {
            Writer statements = new Writer();
            attempt.statements().forEach(id -> statements.uint(id, 8));
            SignedBody body = attempt.body();
            write("INSERT INTO arborlog_attempt (issuer, seq, record_id, issued_on, path, media_type, body, statements) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                attempt.issuer().bytes(), body.seq(), body.id().bytes(), body.issuedOn().days(), body.path(), body.mediaType(), body.body(), statements.bytes());
        }

        @Override
        public void replace(Attempt attempt) {
            write("UPDATE arborlog_attempt SET replaced = 1 WHERE number = ?", attempt.number());
        }

        @Override
        public void dropAttempts() {
            write("DELETE FROM arborlog_attempt");
        }

        @Override
        public void markIn(long statement, long entry) {
            write("UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL WHERE id = ?", entry, statement);
            write("UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE replaces = ? AND state = 'waiting'", EVENT_IS_IN,
                "statement " + statement + ", which it corrects, came in late", statement);
        }

        @Override
        public void addIn(byte[] statement, long entry, long standsFor) {
            String name = standsFor == 0 ? null
                : query(row -> row.next() ? row.getString(1) : null, "SELECT reference FROM arborlog_statement WHERE id = ?", standsFor);
            write("UPDATE arborlog_statement SET reference = NULL WHERE id = ?", standsFor);
            name = name == null ? nameOf(Statement.decode(statement)) : name;
            boolean isTaken = query(row -> row.next() && row.getLong(1) > 0, "SELECT count(*) FROM arborlog_statement WHERE reference = ?", name);
            write("INSERT INTO arborlog_statement (reference, statement, state, entry) VALUES (?, ?, 'in', ?)", isTaken ? null : name, statement, entry);
        }

        @Override
        public void markRefused(long statement, String code, String detail) {
            write("UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE id = ?", code, detail, statement);
        }
    }
}
