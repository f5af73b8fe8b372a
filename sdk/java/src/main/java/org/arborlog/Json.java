package org.arborlog;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as a ledger answers it: objects as maps, arrays as lists, whole numbers as BigInteger. */
final class Json {
    private static final int DEPTH_MAX = 64;
    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** Reads one value; an ArborlogException with the code json_malformed if it is none. */
    static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at != text.length()) {
            throw json.wrong();
        }
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        if (read(text) instanceof Map<?, ?> map) {
            return (Map<String, Object>) map;
        }
        throw ArborlogException.refuse("json_malformed", "it is no JSON object");
    }

    private ArborlogException wrong() {
        return ArborlogException.refuse("json_malformed", "it is no JSON at character " + at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private boolean eat(char c) {
        space();
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private Object value() {
        space();
        if (++depth > DEPTH_MAX || at >= text.length()) {
            throw wrong();
        }
        try {
            switch (text.charAt(at)) {
                case '{':
                    return members();
                case '[':
                    return items();
                case '"':
                    return string();
                default:
                    return word();
            }
        } finally {
            depth--;
        }
    }

    private Map<String, Object> members() {
        at++;
        Map<String, Object> members = new LinkedHashMap<>();
        if (eat('}')) {
            return members;
        }
        do {
            space();
            String name = string();
            if (!eat(':') || members.containsKey(name)) {
                throw wrong();
            }
            members.put(name, value());
        } while (eat(','));
        if (!eat('}')) {
            throw wrong();
        }
        return members;
    }

    private List<Object> items() {
        at++;
        List<Object> items = new ArrayList<>();
        if (eat(']')) {
            return items;
        }
        do {
            items.add(value());
        } while (eat(','));
        if (!eat(']')) {
            throw wrong();
        }
        return items;
    }

    private String string() {
        if (at >= text.length() || text.charAt(at++) != '"') {
            throw wrong();
        }
        StringBuilder out = new StringBuilder();
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return out.toString();
            }
            if (c != '\\') {
                out.append(c);
                continue;
            }
            if (at >= text.length()) {
                break;
            }
            char escaped = text.charAt(at++);
            int known = "\"\\/bfnrt".indexOf(escaped);
            if (known >= 0) {
                out.append("\"\\/\b\f\n\r\t".charAt(known));
            } else if (escaped == 'u' && at + 4 <= text.length() && text.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
                out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                at += 4;
            } else {
                throw wrong();
            }
        }
        throw wrong();
    }

    private Object word() {
        int start = at;
        while (at < text.length() && "+-.0123456789Eaeflnrstu".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String word = text.substring(start, at);
        switch (word) {
            case "null":
                return null;
            case "true":
                return true;
            case "false":
                return false;
            default:
                if (word.matches("-?(0|[1-9][0-9]{0,39})")) {
                    return new BigInteger(word);
                }
                throw wrong();
        }
    }

    /** Writes a text with its quotes. */
    static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
