package org.arborlog;

import java.util.Map;

/** What was done to a file on its way (docs/format.md, 12.1). */
final class FileFault {
    private FileFault() {}

    private static final Map<String, String> WORDS = Map.of("file_utf16", "it was saved as UTF-16", "file_bom", "it begins with a byte order mark",
        "file_crlf", "it has CRLF line ends", "file_not_utf8", "it is not UTF-8", "file_quoted", "its lines begin with '>', as a mail program quotes text",
        "file_spaces", "it has white space where none belongs", "file_wrapped", "its long lines were broken into several, or its index line is missing",
        "file_cut", "its end is missing", "file_trailing", "something follows its last signature line");
    private static final int[] SPACES = {0x09, 0x09, 0x0b, 0x0c, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200d, 0x202f, 0x202f, 0x205f, 0x2060,
        0x3000, 0x3000, 0xfeff, 0xfeff};

    private static boolean begins(byte[] data, int... with) {
        for (int i = 0; i < with.length; i++) {
            if (data.length <= i || (data[i] & 0xff) != with[i]) {
                return false;
            }
        }
        return true;
    }

    /** The first fault that applies to a file that could not be read, or null. */
    static String of(byte[] data) {
        if (begins(data, 0xff, 0xfe) || begins(data, 0xfe, 0xff) || begins(data, 0) || data.length > 1 && data[1] == 0) {
            return "file_utf16";
        }
        if (begins(data, 0xef, 0xbb, 0xbf)) {
            return "file_bom";
        }
        for (byte b : data) {
            if (b == '\r') {
                return "file_crlf";
            }
        }
        String whole = Text.decode(data);
        if (whole == null) {
            return "file_not_utf8";
        }
        return whole.startsWith(">") ? "file_quoted" : ofText(whole);
    }

    private static String ofText(String whole) {
        String[] lines = whole.split("\n", -1);
        int last = -1;
        boolean isWrapped = false;
        if (whole.codePoints().anyMatch(c -> Text.isIn(SPACES, c))) {
            return "file_spaces";
        }
        for (int i = 0; i < lines.length; i++) {
            if (lines[i].startsWith(" ") || lines[i].endsWith(" ") || lines[i].contains("  ")) {
                return "file_spaces";
            }
            isWrapped |= lines[i].startsWith("extra ") && i + 1 < lines.length && !lines[i + 1].isEmpty() && !lines[i + 1].startsWith("index ");
            last = lines[i].startsWith("\u2014 ") ? i : last;
        }
        if (isWrapped) {
            return "file_wrapped";
        }
        if (!whole.endsWith("\n") || last < 0) {
            return "file_cut";
        }
        return last + 2 < lines.length ? "file_trailing" : null;
    }

    /** What was done to the file, if that can be told, in the place of what could not be read for it. */
    static ArborlogException name(byte[] data, ArborlogException wrong) {
        String code = of(data);
        return code == null ? wrong : new ArborlogException(code, "file", WORDS.get(code) + "; get it again");
    }
}
