package spread;

/** The version of the interface: that of the classic library whose programs run on this one. */
public class SpreadVersion {

    private static final int MAJOR = 5;
    private static final int MINOR = 0;
    private static final int PATCH = 0;

    /** Nothing to set up. */
    public SpreadVersion() {}

    /**
     * Major and minor version in one number.
     *
     * @return the major version plus a hundredth of the minor one
     */
    public float getVersion() {
        return MAJOR + MINOR / 100.0f;
    }

    /**
     * The major version.
     *
     * @return 5
     */
    public int getMajorVersion() {
        return MAJOR;
    }

    /**
     * The minor version.
     *
     * @return 0
     */
    public int getMinorVersion() {
        return MINOR;
    }

    /**
     * The patch version.
     *
     * @return the patch version
     */
    public int getPatchVersion() {
        return PATCH;
    }

    /** The version as text, two digits each for minor version and patch: {@code 5.00.00}. */
    @Override
    public String toString() {
        return String.format("%d.%02d.%02d", MAJOR, MINOR, PATCH);
    }
}
