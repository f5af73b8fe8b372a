package org.arborlog;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** The golden files. */
final class Golden {
    private Golden() {}

    static final Path FOLDER = Path.of("../../tests/golden");

    static byte[] bytes(String name) {
        return bytes(FOLDER.resolve(name));
    }

    static byte[] bytes(Path path) {
        try {
            return Files.readAllBytes(path);
        } catch (IOException wrong) {
            throw new UncheckedIOException(wrong);
        }
    }

    static String text(String name) {
        return Text.decode(bytes(name));
    }

    static Map<String, Object> json(Path path) {
        return Json.object(Text.decode(bytes(path)));
    }

    static byte[] hex(Object digits) {
        return HexFormat.of().parseHex((String) digits);
    }

    static List<Path> files(String folder, String pattern, int least) {
        List<Path> paths = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(FOLDER.resolve(folder), pattern)) {
            all.forEach(paths::add);
        } catch (IOException wrong) {
            throw new UncheckedIOException(wrong);
        }
        if (paths.size() < least) {
            throw new AssertionError(folder + " has " + paths.size() + " files");
        }
        return paths;
    }

    /** A verifier key, written. */
    static String verifierKey(String name, int type, byte[] key) {
        byte[] typed = new Writer().uint(type, 1).put(key).bytes();
        byte[] id = Hashes.sha256((name + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8), typed).bytes();
        return name + "+" + HexFormat.of().formatHex(id, 0, 4) + "+" + java.util.Base64.getEncoder().encodeToString(typed);
    }

    static String witness(String name, byte[] key) {
        return verifierKey(name, 4, key);
    }

    static String codeOf(Runnable what) {
        try {
            what.run();
            return null;
        } catch (ArborlogException wrong) {
            return wrong.code();
        }
    }
}
