package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The codec (docs/format.md, section 2). A Java record is a table, its components are the fields in their order; a sealed interface
 * is one of several variants, an enum is one of several without fields. Writing and reading check each field by the same rules.
 */
final class Codec {
    private Codec() {}

    /** A field: its name, its type, and what its annotations say. */
    record Field(String name, Class<?> type, Class<?> item, Method get, Wire.Uint uint, Wire.Within within, Wire.Text text,
                 Wire.Items items, boolean signed, boolean maybe, boolean version) {
        Field ofItems() {
            return new Field(name, item, null, null, uint, within, text, null, signed, false, false);
        }
    }

    record Table(List<Field> fields, Constructor<?> make) {}

    private static final Map<Class<?>, Table> TABLES = new ConcurrentHashMap<>();

    static Table table(Class<?> type) {
        return TABLES.computeIfAbsent(type, Codec::readTable);
    }

    private static Table readTable(Class<?> type) {
        RecordComponent[] components = type.getRecordComponents();
        List<Field> fields = new ArrayList<>();
        for (RecordComponent c : components) {
            Class<?> item = c.getGenericType() instanceof ParameterizedType list ? (Class<?>) list.getActualTypeArguments()[0] : null;
            Wire.Named named = c.getAnnotation(Wire.Named.class);
            c.getAccessor().setAccessible(true);
            fields.add(new Field(named == null ? snake(c.getName()) : named.value(), c.getType(), item, c.getAccessor(),
                c.getAnnotation(Wire.Uint.class), c.getAnnotation(Wire.Within.class), c.getAnnotation(Wire.Text.class),
                c.getAnnotation(Wire.Items.class), c.isAnnotationPresent(Wire.Signed.class), c.isAnnotationPresent(Wire.Maybe.class),
                c.isAnnotationPresent(Wire.FormatVersion.class)));
        }
        try {
            Constructor<?> make = type.getDeclaredConstructor(Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
            make.setAccessible(true);
            return new Table(fields, make);
        } catch (NoSuchMethodException never) {
            throw new IllegalStateException(never);
        }
    }

    /** displayName is display_name, as docs/format.md has it. */
    static String snake(String name) {
        return name.replaceAll("(?<=.)([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    static Object get(Field field, Object table) {
        try {
            return field.get.invoke(table);
        } catch (ReflectiveOperationException never) {
            throw new IllegalStateException(never);
        }
    }

    static Object make(Class<?> type, Object[] values) {
        try {
            return table(type).make.newInstance(values);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof ArborlogException wrong) {
                throw wrong;
            }
            throw new IllegalStateException(thrown);
        } catch (ReflectiveOperationException never) {
            throw new IllegalStateException(never);
        }
    }

    private static void checkNumber(Field f, long n) {
        long least = f.uint == null ? 0 : f.uint.least();
        long most = f.uint == null ? -1 : Math.min(f.uint.most(), f.uint.value() == 8 ? Long.MAX_VALUE : (1L << 8 * f.uint.value()) - 1);
        need(f.uint == null || least <= n && n <= most, "not_canonical", n + " is not within " + least + " to " + most);
        need(!f.version || n == 1, "other_format", "the ledger is of version " + n + " of the format, this package reads 1");
    }

    private static void checkCount(Field f, long n) {
        need(Long.compareUnsigned(n, f.items.min()) >= 0 && Long.compareUnsigned(n, f.items.max()) <= 0, "not_canonical",
            "a list of " + Long.toUnsignedString(n) + ", it must have " + f.items.min() + " to " + f.items.max());
    }

    private static void checkOrder(Field f, List<?> items) {
        for (int i = 1; f.items.ascending() && i < items.size(); i++) {
            need(((String) items.get(i - 1)).compareTo((String) items.get(i)) < 0, "not_canonical", "the list is not strictly ascending");
        }
    }

    private static void checkTogether(Object table) {
        if (table instanceof Wire.Checked checked) {
            checked.check();
        }
    }

    /** The variants of a sealed interface, in the order of its permits clause, which is that of their numbers. */
    static Class<?>[] variants(Class<?> type) {
        return type.getPermittedSubclasses();
    }

    // ---- writing

    static void write(Writer out, Object table) {
        for (Field f : table(table.getClass()).fields) {
            try {
                writeField(out, f, get(f, table));
            } catch (ArborlogException wrong) {
                throw wrong.within(f.name);
            }
        }
        checkTogether(table);
    }

    private static void writeField(Writer out, Field f, Object value) {
        if (f.maybe) {
            out.uint(value == null ? 0 : 1, 1);
            if (value == null) {
                return;
            }
        }
        need(value != null, "not_canonical", "it is null, and no option");
        if (f.type == List.class) {
            List<?> items = (List<?>) value;
            checkCount(f, items.size());
            out.uint(items.size(), 8);
            for (int i = 0; i < items.size(); i++) {
                try {
                    writeField(out, f.ofItems(), items.get(i));
                } catch (ArborlogException wrong) {
                    throw wrong.within("[" + i + "]");
                }
            }
            checkOrder(f, items);
        } else if (value instanceof Bytes32 bytes) {
            out.put(bytes);
        } else if (value instanceof Statement.MldsaKey key) {
            out.put(key.bytes());
        } else if (value instanceof Day day) {
            out.uint(day.days(), 4);
        } else if (value instanceof String text) {
            out.framed(Text.encode(text, f.text.form(), f.text.value()), 8);
        } else if (value instanceof Enum<?> word) {
            out.uint(word.ordinal(), 4);
        } else if (f.within != null) {
            int n = (Integer) value;
            need(Math.abs((long) n) <= f.within.value(), "not_canonical", n + " is beyond " + f.within.value());
            out.uint(n, 4);
        } else if (value instanceof Number number) {
            checkNumber(f, number.longValue());
            out.uint(number.longValue(), f.uint == null ? 8 : f.uint.value());
        } else if (f.type.isSealed()) {
            out.uint(Arrays.asList(variants(f.type)).indexOf(value.getClass()), 4);
            write(out, value);
        } else {
            write(out, value);
        }
    }

    // ---- reading

    static <T> T read(Reader in, Class<T> type) {
        List<Field> fields = table(type).fields;
        Object[] values = new Object[fields.size()];
        for (int i = 0; i < values.length; i++) {
            try {
                values[i] = readField(in, fields.get(i));
            } catch (ArborlogException wrong) {
                throw wrong.within(fields.get(i).name);
            }
        }
        T table = type.cast(make(type, values));
        checkTogether(table);
        return table;
    }

    private static Object readField(Reader in, Field f) {
        if (f.maybe) {
            long tag = in.uint(1);
            need(tag < 2, "not_canonical", "an option's tag is neither 0 nor 1");
            if (tag == 0) {
                return null;
            }
        }
        if (f.type == List.class) {
            return readList(in, f);
        }
        if (f.type == Bytes32.class) {
            return in.bytes32();
        }
        if (f.type == Statement.MldsaKey.class) {
            return new Statement.MldsaKey(in.take(Statement.MldsaKey.BYTES));
        }
        if (f.type == Day.class) {
            return new Day(in.uint(4));
        }
        if (f.type == String.class) {
            byte[] bytes = in.byteString(f.text.value());
            String text = Text.decode(bytes);
            need(text != null, "not_canonical", "the text is not well-formed UTF-8");
            Text.check(text, bytes.length, f.text.form(), f.text.value());
            return text;
        }
        if (f.type == boolean.class) {
            long n = in.uint(1);
            need(n < 2, "not_canonical", "it is neither true nor false");
            return n == 1;
        }
        if (f.within != null) {
            int n = (int) in.uint(4);
            need(Math.abs((long) n) <= f.within.value(), "not_canonical", n + " is beyond " + f.within.value());
            return n;
        }
        if (f.type == int.class || f.type == long.class || f.type == Long.class) {
            long n = in.uint(f.uint == null ? 8 : f.uint.value());
            checkNumber(f, n);
            return f.type == int.class ? (Object) (int) n : (Object) n;
        }
        if (f.type.isEnum() || f.type.isSealed()) {
            Object[] all = f.type.isEnum() ? f.type.getEnumConstants() : variants(f.type);
            long n = in.uint(4);
            need(n < all.length, "not_canonical", "no variant has the number " + n);
            return f.type.isEnum() ? all[(int) n] : read(in, (Class<?>) all[(int) n]);
        }
        return read(in, f.type);
    }

    private static List<Object> readList(Reader in, Field f) {
        long count = in.uint(8);
        checkCount(f, count);
        List<Object> items = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            need(in.left() > 0, "not_canonical", "the bytes end too early");
            try {
                items.add(readField(in, f.ofItems()));
            } catch (ArborlogException wrong) {
                throw wrong.within("[" + i + "]");
            }
        }
        checkOrder(f, items);
        return List.copyOf(items);
    }

    static Statement readStatement(Reader in) {
        Class<?>[] kinds = variants(Statement.class);
        long number = in.uint(4);
        need(number < kinds.length, "not_canonical", "no kind has the number " + number);
        Class<?> kind = kinds[(int) number];
        try {
            return (Statement) read(in, kind);
        } catch (ArborlogException wrong) {
            throw wrong.within(snake(kind.getSimpleName()));
        }
    }
}
