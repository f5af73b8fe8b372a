package org.arborlog;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An error that the ledger answered (docs/http.md). */
public final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String code;
    private final transient List<Refused> refused;

    /** A statement of a sealed batch that the rules refuse, by its place in the batch. */
    public record Refused(int position, String code, String detail) {}

    private Problem(int status, String code, String detail, List<Refused> refused) {
        super("the ledger answered " + status + " " + code + ": " + detail);
        this.status = status;
        this.code = code;
        this.refused = refused;
    }

    /** The HTTP status. */
    public int status() {
        return status;
    }

    /** The stable name. */
    public String code() {
        return code;
    }

    List<Refused> refused() {
        return refused;
    }

    /** That a server which has the files alone has no such address. */
    static Problem absent() {
        return new Problem(404, "not_found", "there is no such address", List.of());
    }

    /** The problem that a body says, or null: only the ledger answers with its problems. */
    static Problem read(int status, byte[] body) {
        try {
            Map<String, Object> said = Json.object(String.valueOf(Text.decode(body)));
            if (!String.valueOf(said.get("type")).startsWith("urn:arborlog:problem:") || !BigInteger.valueOf(status).equals(said.get("status"))) {
                return null;
            }
            List<Refused> refused = new ArrayList<>();
            if (said.get("refused") instanceof List<?> list) {
                for (Object one : list) {
                    Map<?, ?> map = (Map<?, ?>) one;
                    refused.add(new Refused(((BigInteger) map.get("position")).intValueExact(), (String) map.get("code"), words(map)));
                }
            }
            return new Problem(status, (String) said.get("code"), words(said), List.copyOf(refused));
        } catch (ArborlogException | ClassCastException | ArithmeticException | NullPointerException noProblem) {
            return null;
        }
    }

    private static String words(Map<?, ?> of) {
        return of.get("detail") + "; " + of.get("advice");
    }
}
