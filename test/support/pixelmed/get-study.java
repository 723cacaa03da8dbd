import com.pixelmed.dicom.AttributeList;
import com.pixelmed.dicom.CodeStringAttribute;
import com.pixelmed.dicom.StoredFilePathStrategy;
import com.pixelmed.dicom.TagFromName;
import com.pixelmed.dicom.UniqueIdentifierAttribute;
import com.pixelmed.network.GetSOPClassSCU;
import com.pixelmed.network.IdentifierHandler;
import com.pixelmed.network.ReceivedObjectHandler;
import java.io.File;
import java.util.Arrays;
import java.util.Set;

/**
 * Gets one study by C-GET with PixelMed's own class for it, into a folder. Its command line cannot be used: that
 * proposes every storage SOP class, in more presentation contexts than an association has.
 *
 * Arguments: port, called AE title, calling AE title, Study Instance UID, folder, then the storage SOP classes that are
 * proposed. One line for each received object.
 */
class GetStudy {
  private static final String STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3";

  public static void main(String[] args) throws Exception {
    AttributeList identifier = new AttributeList();
    CodeStringAttribute level = new CodeStringAttribute(TagFromName.QueryRetrieveLevel);
    level.addValue("STUDY");
    identifier.put(level);
    UniqueIdentifierAttribute study = new UniqueIdentifierAttribute(TagFromName.StudyInstanceUID);
    study.addValue(args[3]);
    identifier.put(study);
    Set<String> sopClasses = Set.of(Arrays.copyOfRange(args, 5, args.length));
    ReceivedObjectHandler received = new ReceivedObjectHandler() {
      @Override
      public void sendReceivedObjectIndication(
          String fileName, String transferSyntax, String callingAeTitle) {
        System.out.println("received " + fileName);
      }
    };
    // A context for each transfer syntax, so that whoever sends may keep the one that it holds.
    new GetSOPClassSCU("127.0.0.1", Integer.parseInt(args[0]), args[1], args[2], STUDY_ROOT_GET, identifier,
        new IdentifierHandler(), new File(args[4]), StoredFilePathStrategy.BYSOPINSTANCEUIDINSINGLEFOLDER, received,
        sopClasses, false, true, false);
  }
}
