package spread.testing;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/**
 * The native library's methods. Networks are numbers. Failures are {@link IllegalArgumentException}.
 *
 * <p>The library is the one that the system property {@code spread.testing.native.path} names, else
 * that in the jar.
 */
final class Native {

    private static final String PATH_PROPERTY = "spread.testing.native.path";
    private static final String ARCH = System.getProperty("os.arch", "?");
    private static final String RESOURCE =
            "META-INF/native/linux-"
                    + (ARCH.equals("amd64") ? "x86_64" : ARCH)
                    + "/libspread_testd_jni.so";

    static {
        load();
    }

    private Native() {}

    private static void load() {
        String path = System.getProperty(PATH_PROPERTY);
        if (path != null) {
            System.load(Paths.get(path).toAbsolutePath().toString());
            return;
        }
        String platform = System.getProperty("os.name") + " on " + ARCH;
        try (InputStream library = Native.class.getClassLoader().getResourceAsStream(RESOURCE)) {
            if (library == null) {
                throw new UnsatisfiedLinkError(RESOURCE + " is not in the jar (" + platform + ")");
            }
            Path directory = Files.createTempDirectory("everspread-testing-");
            Path copy = directory.resolve("libspread_testd_jni.so");
            try {
                Files.copy(library, copy);
                System.load(copy.toString());
            } finally {
                Files.deleteIfExists(copy);
                Files.deleteIfExists(directory);
            }
        } catch (IOException e) {
            UnsatisfiedLinkError error =
                    new UnsatisfiedLinkError(RESOURCE + " cannot be copied (" + platform + "): " + e);
            error.initCause(e);
            throw error;
        }
    }

    /** The number of a new network. */
    static native long start(String options);

    static native void stop(long network);

    /** A line for each daemon: name, address, port, unix socket or nothing, with tabs between them. */
    static native String daemons(long network);

    /** Carries out a command, and answers what there is to say. */
    static native String command(long network, String text);
}
