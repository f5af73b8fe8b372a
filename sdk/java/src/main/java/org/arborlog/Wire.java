package org.arborlog;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** How a field is written, where its Java type does not say so: a long without more is a u64 (unsigned), an int an i32. */
final class Wire {
    private Wire() {}

    /** An unsigned integer of so many bytes, within limits. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Uint {
        int value();

        long least() default 0;

        long most() default Long.MAX_VALUE;
    }

    /** A signed integer whose amount is at most this. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Within {
        int value();
    }

    /** A signed integer of 64 bits. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Signed {}

    /** A text of at most so many bytes, of a form. In a list, each of its texts. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Text {
        int value();

        Form form() default Form.ANY;
    }

    /** How many items a list has. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Items {
        int min() default 0;

        long max();

        boolean ascending() default false;
    }

    /** Nothing, which is null, or a value. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Maybe {}

    /** The name in docs/format.md, where Java has it for itself. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface Named {
        String value();
    }

    /** The version of the format. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.RECORD_COMPONENT)
    @interface FormatVersion {}

    /** What a text must be. */
    enum Form { ANY, SLUG, WEB, ORIGIN, COUNTRY, POLICY }

    /** What fields must be together. */
    interface Checked {
        void check();
    }
}
