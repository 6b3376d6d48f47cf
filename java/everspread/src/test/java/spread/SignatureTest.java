package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.ObjectStreamClass;
import java.io.Serializable;
import java.lang.invoke.MethodType;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
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

    /** What the classic classes do not have: a widely used fork has it. */
    private static final List<String> MORE =
            Collections.singletonList(
                    "method|spread.SpreadConnection|setTcpNoDelay|(Z)V|public"
                            + "|throws spread.SpreadException");

    private static List<String> classic() throws IOException {
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(
                                SignatureTest.class.getResourceAsStream(
                                        "/java-api-signatures.txt"),
                                StandardCharsets.US_ASCII))) {
            List<String> lines =
                    reader.lines()
                            .filter(line -> !line.startsWith("#") && !line.isEmpty())
                            .collect(Collectors.toList());
            assertThat(lines).hasSize(153);
            return lines;
        }
    }

    @Test
    void membersAreThoseOfTheClassicListAndNoOthers() throws Exception {
        List<String> expected = new ArrayList<>(classic());
        expected.addAll(MORE);
        ClassLoader ours = SignatureTest.class.getClassLoader();
        assertThat(facts(ours)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(deprecated(ours)).containsExactly("getStayed");
        assertThat(generic(ours)).isEmpty();
        assertThat(kinds(ours)).isEqualTo(KINDS);
    }

    /** Shows that the list, and what else is compared, is that of the classic classes. */
    @Test
    void listIsThatOfTheClassicJar() throws Exception {
        String jar = System.getenv("SPREAD_CLASSIC_JAR");
        if (jar == null || jar.isEmpty()) {
            System.out.println("skipped: SPREAD_CLASSIC_JAR does not name the classic jar");
        }
        Assumptions.assumeTrue(jar != null && !jar.isEmpty(), "SPREAD_CLASSIC_JAR is not set");
        try (URLClassLoader theirs =
                new URLClassLoader(new URL[] {new File(jar).toURI().toURL()}, null)) {
            assertThat(theirs.loadClass("spread.SpreadConnection"))
                    .isNotSameAs(SpreadConnection.class);
            assertThat(facts(theirs)).containsExactlyInAnyOrderElementsOf(classic());
            // Its one deprecated method is so in the documentation only, which reflection does not see.
            assertThat(deprecated(theirs)).isEmpty();
            assertThat(generic(theirs)).isEmpty();
            assertThat(kinds(theirs)).isEqualTo(KINDS);
        }
    }

    private static final String KINDS =
            "inner spread.MembershipInfo$VirtualSynchronySet of spread.MembershipInfo public"
                    + " serializable spread.SpreadException 9138150631126879910";

    /** What else programs and serialised forms depend on. */
    private static String kinds(ClassLoader loader) {
        List<String> kinds = new ArrayList<>();
        for (String name : CLASSES) {
            Class<?> c = find(loader, name);
            if (c.getDeclaringClass() != null) {
                kinds.add(
                        String.join(
                                " ",
                                "inner",
                                c.getName(),
                                "of",
                                c.getDeclaringClass().getName(),
                                Modifier.toString(c.getModifiers())));
            }
            if (Serializable.class.isAssignableFrom(c)) {
                long version = ObjectStreamClass.lookup(c).getSerialVersionUID();
                kinds.add("serializable " + c.getName() + " " + version);
            }
        }
        return String.join(" ", kinds);
    }

    private static List<String> deprecated(ClassLoader loader) {
        List<String> names = new ArrayList<>();
        for (String name : CLASSES) {
            for (AnnotatedElement member : members(find(loader, name))) {
                if (member.isAnnotationPresent(Deprecated.class)) {
                    names.add(((Member) member).getName());
                }
            }
        }
        return names;
    }

    /** Visible members with a type that is not raw: a program could not be compiled with both. */
    private static List<String> generic(ClassLoader loader) {
        List<String> names = new ArrayList<>();
        for (String name : CLASSES) {
            for (AnnotatedElement member : members(find(loader, name))) {
                String raw = member.toString();
                String full =
                        member instanceof Field
                                ? ((Field) member).toGenericString()
                                : ((Executable) member).toGenericString();
                if (!raw.equals(full)) {
                    names.add(full);
                }
            }
        }
        return names;
    }

    private static List<AnnotatedElement> members(Class<?> c) {
        List<AnnotatedElement> members = new ArrayList<>();
        Collections.addAll(members, c.getDeclaredFields());
        Collections.addAll(members, c.getDeclaredConstructors());
        Collections.addAll(members, c.getDeclaredMethods());
        members.removeIf(
                member ->
                        !isVisible(((Member) member).getModifiers())
                                || ((Member) member).isSynthetic());
        return members;
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
        return Modifier.isPublic(find(SignatureTest.class.getClassLoader(), name).getModifiers());
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

    private static Class<?> find(ClassLoader loader, String name) {
        try {
            return Class.forName("spread." + name, false, loader);
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    private static TreeSet<String> facts(ClassLoader loader) throws IllegalAccessException {
        TreeSet<String> out = new TreeSet<>();
        for (String name : CLASSES) {
            Class<?> c = find(loader, name);
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
