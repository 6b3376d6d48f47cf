package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import spread.testing.TestNetwork;

/**
 * Java and C programs in one group: what each sees of the others.
 *
 * <p>{@code SPREAD_CLASSIC_JAR} and {@code SPREAD_CLASSIC_LIB} (a folder) bring the classic clients in
 * as well, {@code SPREAD_DAEMON} a real daemon, see {@link RealDaemon}.
 */
class InteropTest {

    @TempDir static Path directory;
    private static Path program;

    /** Where cargo has put libspread.so; the pom says so. */
    private static final String LIBRARIES = System.getProperty("spread.test.libraries", "");

    @BeforeAll
    static void compile() throws Exception {
        Path library = Paths.get(LIBRARIES, "libspread.so");
        Assumptions.assumeTrue(
                Files.exists(library), "skipped: no C programs, as there is no " + library);
        Files.createSymbolicLink(directory.resolve("libspread.so.3"), library.toAbsolutePath());
        program = directory.resolve("peer");
        Programs.run(
                "cc",
                "-std=gnu99",
                "-Wall",
                "-Werror",
                "-I",
                "../../include",
                "src/test/c/peer.c",
                directory.resolve("libspread.so.3").toString(),
                "-o",
                program.toString());
    }

    /** One kind of client. */
    private static final class Member {
        final Programs.Program program;
        final boolean java;
        final String group;

        Member(Programs.Program program, boolean java) throws InterruptedException {
            this.program = program;
            this.java = java;
            group = program.line("connected ").substring("connected ".length());
        }
    }

    private static String environment(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            System.out.println("skipped: " + name + " is not set, so it is left out here");
            return null;
        }
        return value;
    }

    private static List<Member> members(String host, String port) throws Exception {
        List<Member> members = new ArrayList<>();
        String spreadName = port + "@" + host;
        String peer = "programs.Peer";
        members.add(new Member(Programs.java(Programs.ours(), peer, host, port, "java"), true));
        members.add(
                new Member(
                        Programs.c(program.toString(), directory.toString(), spreadName, "c"), false));
        String jar = environment("SPREAD_CLASSIC_JAR");
        if (jar != null) {
            String path = jar + java.io.File.pathSeparator + "target/test-classes";
            members.add(new Member(Programs.java(path, peer, host, port, "cljava"), true));
        }
        String library = environment("SPREAD_CLASSIC_LIB");
        if (library != null) {
            members.add(
                    new Member(Programs.c(program.toString(), library, spreadName, "clc"), false));
        }
        return members;
    }

    @Test
    void everybodySeesTheSameOfEverybody() throws Exception {
        for (String options : new String[] {"byte_order=little", "byte_order=big"}) {
            try (TestNetwork network =
                    TestNetwork.start(options + "&port=" + RealDaemon.freePort())) {
                meet("127.0.0.1", String.valueOf(network.daemon(0).port()));
            }
        }
    }

    @Test
    void soItIsOnARealDaemon() throws Exception {
        try (RealDaemon daemon = RealDaemon.named(directory)) {
            Assumptions.assumeTrue(daemon != null, "SPREAD_DAEMON is not set");
            meet(daemon.host, daemon.port);
        }
    }

    private static void meet(String host, String port) throws Exception {
        List<Member> members = members(host, port);
        List<Member> inside = new ArrayList<>();
        StringBuilder list = new StringBuilder();
        for (Member member : members) {
            member.program.tell("join room");
            inside.add(member);
            list.append(list.length() == 0 ? "" : ",").append(member.group);
            for (int i = 0; i < inside.size(); i++) {
                assertThat(inside.get(i).program.line("member room 1100 "))
                        .as("seen by %s", inside.get(i).program.what)
                        .isIn(membership("1100", inside, i, member.group));
            }
        }
        data(members);
        objects(members);
        // The last one leaves and comes back, then ends without a word.
        Member last = members.get(members.size() - 1);
        last.program.tell("leave room");
        assertThat(last.program.line("member room")).isEqualTo("member room 200 - -1 -");
        inside.remove(last);
        for (int i = 0; i < inside.size(); i++) {
            assertThat(inside.get(i).program.line("member room 1200 "))
                    .isIn(membership("1200", inside, i, last.group));
        }
        last.program.tell("join room");
        last.program.line("member room 1100 ");
        last.program.close();
        for (int i = 0; i < inside.size(); i++) {
            inside.get(i).program.line("member room 1100 ");
            assertThat(inside.get(i).program.line("member room 1400 "))
                    .isIn(membership("1400", inside, i, last.group));
        }
        for (Member member : inside) {
            member.program.tell("quit");
            member.program.end(0);
        }
    }

    /** The order of members is the daemon's; the index must be that of the own name. */
    private static List<String> membership(
            String service, List<Member> inside, int own, String who) {
        List<String> possible = new ArrayList<>();
        List<String> names = new ArrayList<>();
        inside.forEach(member -> names.add(member.group));
        permute(names, 0, possible, service, inside.get(own).group, who);
        return possible;
    }

    private static void permute(
            List<String> names, int at, List<String> out, String service, String own, String who) {
        if (at == names.size()) {
            out.add(
                    String.join(
                            " ",
                            "member room",
                            service,
                            String.join(",", names),
                            String.valueOf(names.indexOf(own)),
                            who));
            return;
        }
        for (int i = at; i < names.size(); i++) {
            java.util.Collections.swap(names, at, i);
            permute(names, at + 1, out, service, own, who);
            java.util.Collections.swap(names, at, i);
        }
    }

    private static void data(List<Member> members) throws Exception {
        boolean little = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
        for (Member sender : members) {
            for (int type : new int[] {0x1234, -1, -2, 0, 1, 32767, -32768}) {
                sender.program.tell("send room " + type + " hello" + type);
                for (Member receiver : members) {
                    boolean big = sender.java || !little;
                    boolean mismatch = receiver.java ? !big : big == little;
                    assertThat(receiver.program.line("data "))
                            .as("from %s to %s", sender.program.what, receiver.program.what)
                            .isEqualTo(
                                    String.join(
                                            " ",
                                            "data",
                                            sender.group,
                                            String.valueOf(type),
                                            mismatch ? "1" : "0",
                                            "10 room hello" + type));
                }
            }
        }
    }

    private static void objects(List<Member> members) throws Exception {
        for (Member sender : members) {
            if (!sender.java) {
                continue;
            }
            sender.program.tell("object room thing");
            sender.program.tell("digest room one two");
            for (Member receiver : members) {
                String object = receiver.program.line("data ");
                String digest = receiver.program.line("data ");
                if (receiver.java) {
                    assertThat(object).isEqualTo("data " + sender.group + " -77 0 10 room [thing]");
                    assertThat(digest).isEqualTo("data " + sender.group + " -77 0 10 room [one,two]");
                }
            }
        }
    }
}
