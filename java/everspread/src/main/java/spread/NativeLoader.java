package spread;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;

/**
 * Finds and loads the native library.
 *
 * <ol>
 *   <li>The file that the system property {@code spread.native.path} names. Nothing else is tried then.
 *   <li>The one in the jar, copied to a private temporary directory and deleted once it is loaded.
 *   <li>{@code java.library.path}.
 * </ol>
 */
final class NativeLoader {

    private static final String NAME = "spread_jni";
    private static final String PATH_PROPERTY = "spread.native.path";

    private static boolean loaded;

    /** Why it could not be loaded; another attempt would end the same way. */
    private static UnsatisfiedLinkError failure;

    private NativeLoader() {}

    /**
     * Loads the library, unless that has been done.
     *
     * @throws SpreadException if there is none; its text names the platform and what was tried
     */
    static synchronized void ensure() throws SpreadException {
        if (loaded) {
            return;
        }
        if (failure == null) {
            try {
                load();
                check();
                loaded = true;
                return;
            } catch (UnsatisfiedLinkError e) {
                failure = e;
            }
        }
        SpreadException exception = new SpreadException(failure.getMessage());
        exception.initCause(failure);
        throw exception;
    }

    private static void load() {
        String path = System.getProperty(PATH_PROPERTY);
        StringBuilder tried = new StringBuilder();
        if (path != null) {
            try {
                System.load(Paths.get(path).toAbsolutePath().toString());
                return;
            } catch (LinkageError | RuntimeException e) {
                throw failure(tried.append("property ").append(PATH_PROPERTY).append(": ").append(e), e);
            }
        }
        Throwable first = fromJar(tried);
        if (first == null) {
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (LinkageError | RuntimeException e) {
            tried.append("; java.library.path: ").append(e.getMessage());
            throw failure(tried, first);
        }
    }

    /** Whether library and jar belong together: only a library from elsewhere can be another one. */
    private static void check() {
        int found;
        try {
            found = Native.interfaceVersion();
        } catch (UnsatisfiedLinkError e) {
            found = 0;
        }
        if (found != Native.INTERFACE) {
            throw new UnsatisfiedLinkError(
                    "the native library is that of another version of the jar (interface "
                            + found
                            + ", not "
                            + Native.INTERFACE
                            + ")");
        }
    }

    /** Null if it worked. */
    private static Throwable fromJar(StringBuilder tried) {
        String resource = "META-INF/native/" + platform() + "/" + System.mapLibraryName(NAME);
        tried.append("in the jar: ").append(resource);
        Path directory = null;
        Path copy = null;
        try (InputStream library =
                NativeLoader.class.getClassLoader().getResourceAsStream(resource)) {
            if (library == null) {
                tried.append(" is not there");
                return new IOException(resource + " is not there");
            }
            // For the owner alone, by its contract.
            directory = Files.createTempDirectory("everspread-");
            copy = directory.resolve(System.mapLibraryName(NAME));
            Files.copy(library, copy);
            System.load(copy.toString());
            return null;
        } catch (IOException | LinkageError | RuntimeException e) {
            tried.append(": ").append(e);
            return e;
        } finally {
            delete(copy);
            delete(directory);
        }
    }

    private static void delete(Path path) {
        if (path == null) {
            return;
        }
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // It stays, and does no harm.
            path.toFile().deleteOnExit();
        }
    }

    /** Such as {@code linux-x86_64}. */
    private static String platform() {
        String os = System.getProperty("os.name", "?").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch", "?").toLowerCase(Locale.ROOT);
        return (os.startsWith("linux") ? "linux" : os.replace(' ', '_'))
                + "-"
                + (arch.equals("amd64") ? "x86_64" : arch);
    }

    private static UnsatisfiedLinkError failure(CharSequence tried, Throwable cause) {
        UnsatisfiedLinkError error =
                new UnsatisfiedLinkError(
                        "no native library for "
                                + System.getProperty("os.name")
                                + " on "
                                + System.getProperty("os.arch")
                                + " (tried "
                                + tried
                                + ")");
        error.initCause(cause);
        return error;
    }
}
