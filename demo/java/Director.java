import java.io.BufferedReader;
import java.io.InputStreamReader;
import spread.testing.TestNetwork;

/** Runs two daemons, prints where they are, and kills the one that a line on standard input names. */
public final class Director {

    private Director() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        try (TestNetwork network = TestNetwork.start(2)) {
            System.out.println(
                    network.daemon(0).spreadName() + " " + network.daemon(1).spreadName());
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
            String line;
            while ((line = lines.readLine()) != null) {
                network.kill(Integer.parseInt(line));
                System.out.println("killed");
            }
        }
    }
}
