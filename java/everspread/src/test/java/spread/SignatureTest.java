package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.ObjectStreamClass;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Everything that a program compiled against the classic jar can refer to is there, to the letter. */
class SignatureTest {

    private static final String[] CLASSES = {
        "AdvancedMessageListener",
        "BasicMessageListener",
        "GroupID",
        "MembershipInfo",
        "MembershipInfo$VirtualSynchronySet",
        "MessageFactory",
        "NULLAuth",
        "SpreadAuthInterface",
        "SpreadConnection",
        "SpreadException",
        "SpreadGroup",
        "SpreadMessage",
        "SpreadVersion"
    };

    /** Not part of the contract. */
    private static final int IGNORED = Modifier.SYNCHRONIZED | Modifier.NATIVE | Modifier.STRICT;

    @Test
    void everyLineOfTheClassicListIsThere() throws Exception {
        List<String> expected;
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                SignatureTest.class.getResourceAsStream(
                                        "/java-api-signatures.txt"),
                                StandardCharsets.US_ASCII))) {
            expected =
                    reader.lines()
                            .filter(line -> !line.startsWith("#") && !line.isEmpty())
                            .collect(Collectors.toList());
        }
        assertThat(expected).hasSize(153);
        assertThat(facts()).containsAll(expected);
    }

    @Test
    void nothingElseIsPublicInThePackage() throws Exception {
        String location =
                SpreadConnection.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        try (Stream<java.nio.file.Path> files =
                java.nio.file.Files.list(java.nio.file.Paths.get(location, "spread"))) {
            List<String> open =
                    files.map(path -> path.getFileName().toString())
                            .filter(name -> name.endsWith(".class"))
                            .map(name -> name.replace(".class", ""))
                            .filter(SignatureTest::isPublic)
                            .collect(Collectors.toList());
            assertThat(open).containsExactlyInAnyOrder(CLASSES);
        }
    }

    private static boolean isPublic(String name) {
        return Modifier.isPublic(find(name).getModifiers());
    }

    @Test
    void exceptionsCanBeExchangedInSerialisedForm() {
        assertThat(ObjectStreamClass.lookup(SpreadException.class).getSerialVersionUID())
                .isEqualTo(9138150631126879910L);
    }

    @Test
    @SuppressWarnings("deprecation")
    void classFilesAreOfJava8() throws Exception {
        try (java.io.DataInputStream in =
                new java.io.DataInputStream(
                        SpreadConnection.class.getResourceAsStream("SpreadConnection.class"))) {
            in.skipBytes(6);
            assertThat(in.readUnsignedShort()).isEqualTo(52);
        }
    }

    private static Class<?> find(String name) {
        try {
            return Class.forName("spread." + name, false, SignatureTest.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    private static TreeSet<String> facts() throws IllegalAccessException {
        TreeSet<String> out = new TreeSet<>();
        for (String name : CLASSES) {
            Class<?> c = find(name);
            String q = c.getName();
            String parent = c.getSuperclass() == null ? "-" : c.getSuperclass().getName();
            out.add(
                    String.join(
                            "|",
                            "class",
                            q,
                            Modifier.toString(c.getModifiers()),
                            "extends " + parent,
                            "implements " + names(c.getInterfaces())));
            for (Field f : c.getDeclaredFields()) {
                if (isVisible(f.getModifiers()) && !f.isSynthetic()) {
                    out.add(
                            String.join(
                                    "|",
                                    "field",
                                    q,
                                    f.getName(),
                                    descriptor(f.getType()).substring(2),
                                    Modifier.toString(f.getModifiers()),
                                    "const " + constant(f)));
                }
            }
            for (Constructor<?> k : c.getDeclaredConstructors()) {
                if (isVisible(k.getModifiers()) && !k.isSynthetic()) {
                    out.add(
                            String.join(
                                    "|",
                                    "ctor",
                                    q,
                                    "<init>",
                                    descriptor(void.class, k.getParameterTypes()),
                                    Modifier.toString(k.getModifiers()),
                                    "throws " + names(k.getExceptionTypes())));
                }
            }
            for (Method m : c.getDeclaredMethods()) {
                if (isVisible(m.getModifiers()) && !m.isSynthetic()) {
                    out.add(
                            String.join(
                                    "|",
                                    "method",
                                    q,
                                    m.getName(),
                                    descriptor(m.getReturnType(), m.getParameterTypes()),
                                    Modifier.toString(m.getModifiers() & ~IGNORED),
                                    "throws " + names(m.getExceptionTypes())));
                }
            }
        }
        return out;
    }

    private static String constant(Field f) throws IllegalAccessException {
        int m = f.getModifiers();
        if (!Modifier.isStatic(m) || !Modifier.isFinal(m) || f.getType() != int.class) {
            return "-";
        }
        f.setAccessible(true);
        return Integer.toString(f.getInt(null));
    }

    private static boolean isVisible(int modifiers) {
        return (modifiers & (Modifier.PUBLIC | Modifier.PROTECTED)) != 0;
    }

    private static String descriptor(Class<?> result, Class<?>... parameters) {
        return MethodType.methodType(result, parameters).toMethodDescriptorString();
    }

    private static String names(Class<?>[] classes) {
        TreeSet<String> names = new TreeSet<>();
        for (Class<?> c : classes) {
            names.add(c.getName());
        }
        return names.isEmpty() ? "-" : String.join(",", names);
    }
}
