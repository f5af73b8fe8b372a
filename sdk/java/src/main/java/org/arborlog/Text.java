package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.notCanonical;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Texts as docs/format.md, 2.2, allows them. */
final class Text {
    private Text() {}

    /** The characters that no text has, as pairs of the first and the last. */
    private static final int[] REFUSED = {0, 0x1f, 0x7f, 0x9f, 0xad, 0xad, 0x34f, 0x34f, 0x61c, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5,
        0x180b, 0x180f, 0x200b, 0x200f, 0x2028, 0x202e, 0x2060, 0x206f, 0x2800, 0x2800, 0x3164, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xfeff,
        0xffa0, 0xffa0, 0xfff0, 0xfffb, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0000, 0xe0fff};
    /** Unicode's White_Space. */
    private static final int[] WHITE = {0x09, 0x0d, 0x20, 0x20, 0x85, 0x85, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029,
        0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000};

    static boolean isIn(int[] spans, int c) {
        for (int i = 0; i < spans.length; i += 2) {
            if (spans[i] <= c && c <= spans[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Well-formed UTF-8, or null. */
    static String decode(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException wrong) {
            return null;
        }
    }

    /** The bytes of a text, whose length, characters and form are checked. */
    static byte[] encode(String text, Wire.Form form, int bytesMax) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        need(text.equals(decode(bytes)), "not_canonical", "the text has a half of a surrogate pair");
        check(text, bytes.length, form, bytesMax);
        return bytes;
    }

    /** That no character is refused, but for those that are allowed here. */
    static void checkCharacters(String text, String allowed) {
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            int c = text.codePointAt(i);
            if (isIn(REFUSED, c) && allowed.indexOf(c) < 0) {
                throw notCanonical(String.format("the text has the character U+%04X, which is refused", c));
            }
        }
    }

    static void check(String text, int bytes, Wire.Form form, int bytesMax) {
        if (bytes > bytesMax) {
            throw notCanonical("the text has " + bytes + " bytes, at most " + bytesMax + " are allowed");
        }
        checkCharacters(text, form == Wire.Form.POLICY ? "\t\n" : "");
        switch (form) {
            case ANY -> { }
            case SLUG -> is(isSlug(text), text, "1 to 64 of a-z, 0-9 and -, with no - at the beginning or end");
            case WEB -> is(text.isEmpty() || text.startsWith("https://") || text.startsWith("http://"), text,
                "empty, or begin with https:// or http://");
            case ORIGIN -> is(isLineName(text), text, "1 to 200 bytes without white space and +");
            case COUNTRY -> is(text.matches("[A-Z]{2}"), text, "two of A-Z");
            case POLICY -> Policy.checkText(text);
        }
    }

    private static void is(boolean condition, String text, String what) {
        if (!condition) {
            throw notCanonical("\"" + text + "\": it must be " + what);
        }
    }

    static boolean isSlug(String text) {
        return text.length() <= 64 && text.matches("[a-z0-9]([a-z0-9-]*[a-z0-9])?");
    }

    /** Whether a name may stand on a line of signatures. */
    static boolean isLineName(String name) {
        return !name.isEmpty() && name.codePoints().noneMatch(c -> c == '+' || isIn(WHITE, c));
    }
}
