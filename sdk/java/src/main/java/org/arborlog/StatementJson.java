package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.notCanonical;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Statements as docs/statements.md writes them. Nothing is signed in JSON. */
final class StatementJson {
    private StatementJson() {}

    static Statement read(String json) {
        Map<String, Object> object = Json.object(json);
        Object kind = object.remove("kind");
        for (Class<?> type : Codec.variants(Statement.class)) {
            if (Codec.snake(type.getSimpleName()).equals(kind)) {
                try {
                    Statement statement = (Statement) table(object, type);
                    statement.encode();
                    return statement;
                } catch (ArborlogException wrong) {
                    throw wrong.where().startsWith(kind.toString()) ? wrong : wrong.within(kind.toString());
                }
            }
        }
        throw new ArborlogException("not_canonical", "kind", "no statement is of the kind " + kind);
    }

    private static Object table(Map<?, ?> object, Class<?> type) {
        List<Codec.Field> fields = Codec.table(type).fields();
        for (Object name : object.keySet()) {
            need(fields.stream().anyMatch(f -> f.name().equals(name)), "not_canonical", "no field has the name " + name);
        }
        Object[] values = new Object[fields.size()];
        for (int i = 0; i < values.length; i++) {
            Codec.Field f = fields.get(i);
            try {
                need(f.maybe() || object.containsKey(f.name()), "not_canonical", "the field is missing");
                values[i] = value(object.get(f.name()), f);
            } catch (ArborlogException wrong) {
                throw wrong.within(f.name());
            }
        }
        return Codec.make(type, values);
    }

    private static Object value(Object json, Codec.Field f) {
        if (json == null && f.maybe()) {
            return null;
        }
        Class<?> type = f.type();
        if (type == List.class && json instanceof List<?> list) {
            List<Object> items = new ArrayList<>();
            for (Object item : list) {
                items.add(value(item, f.ofItems()));
            }
            return items;
        }
        if (json instanceof String text) {
            if (type == String.class) {
                return text;
            }
            if (type == Bytes32.class) {
                return Bytes32.hex(text);
            }
            if (type == Statement.MldsaKey.class) {
                need(text.matches("[0-9a-fA-F]{2624}"), "not_canonical", "it must be 2,624 hexadecimal digits");
                return new Statement.MldsaKey(HexFormat.of().parseHex(text));
            }
            if (type == Day.class) {
                return Day.parse(text);
            }
            if (type.isEnum()) {
                for (Object word : type.getEnumConstants()) {
                    if (((Enum<?>) word).name().toLowerCase(Locale.ROOT).equals(text)) {
                        return word;
                    }
                }
            }
        }
        if (type.isSealed()) {
            return variant(json, type);
        }
        if (json instanceof BigInteger n && (type == int.class || type == long.class || type == Long.class)) {
            int bits = f.within() != null ? 31 : f.uint() == null ? 64 : 8 * f.uint().value();
            need((f.within() != null || n.signum() >= 0) && n.bitLength() <= bits, "not_canonical", n + " is no whole number of " + bits + " bits");
            return type == int.class ? (Object) n.intValue() : (Object) n.longValue();
        }
        if (type.isRecord() && json instanceof Map<?, ?> object) {
            return table(object, type);
        }
        throw notCanonical(json + " is not what this field can be");
    }

    private static Object variant(Object json, Class<?> type) {
        Object name = json;
        Map<?, ?> fields = Map.of();
        if (json instanceof Map<?, ?> object && object.size() == 1 && object.values().iterator().next() instanceof Map<?, ?> inner) {
            name = object.keySet().iterator().next();
            fields = inner;
        }
        for (Class<?> one : Codec.variants(type)) {
            boolean isWord = one.getRecordComponents().length == 0;
            if (Codec.snake(one.getSimpleName()).equals(name) && isWord == json instanceof String) {
                return table(fields, one);
            }
        }
        throw notCanonical(name + " is no variant, or not written as it is");
    }

    static String write(Statement statement) {
        StringBuilder out = new StringBuilder("{\"kind\":" + Json.quote(statement.kind()));
        fields(out, statement, ",");
        return out.append('}').toString();
    }

    private static void fields(StringBuilder out, Object table, String before) {
        for (Codec.Field f : Codec.table(table.getClass()).fields()) {
            out.append(before).append(Json.quote(f.name())).append(':');
            write(out, Codec.get(f, table));
            before = ",";
        }
    }

    private static void write(StringBuilder out, Object value) {
        if (value == null) {
            out.append("null");
        } else if (value instanceof List<?> list) {
            out.append('[');
            for (int i = 0; i < list.size(); i++) {
                out.append(i == 0 ? "" : ",");
                write(out, list.get(i));
            }
            out.append(']');
        } else if (value instanceof Long n) {
            out.append(Long.toUnsignedString(n));
        } else if (value instanceof Integer n) {
            out.append(n);
        } else if (value instanceof Enum<?> word) {
            out.append(Json.quote(word.name().toLowerCase(Locale.ROOT)));
        } else if (value instanceof Statement.MldsaKey key) {
            out.append(Json.quote(HexFormat.of().formatHex(key.bytes())));
        } else if (value instanceof String || value instanceof Bytes32 || value instanceof Day) {
            out.append(Json.quote(value.toString()));
        } else {
            table(out, value);
        }
    }

    private static void table(StringBuilder out, Object value) {
        boolean isVariant = Arrays.stream(value.getClass().getInterfaces()).anyMatch(Class::isSealed);
        String name = Json.quote(Codec.snake(value.getClass().getSimpleName()));
        if (isVariant && value.getClass().getRecordComponents().length == 0) {
            out.append(name);
            return;
        }
        out.append(isVariant ? "{" + name + ":{" : "{");
        fields(out, value, "");
        out.append(isVariant ? "}}" : "}");
    }
}
